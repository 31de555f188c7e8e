"""What tests on the cluster share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from deploy.services.kubernetes import KubernetesCluster


@pytest.fixture
def new_namespace(
    kubernetes_cluster: KubernetesCluster, request: pytest.FixtureRequest
) -> Iterator[Callable[..., str]]:
    """Makes namespaces of the test's own, with the mode given; their pods go with the test, so that no scheduler sees them."""
    made: list[str] = []

    def make(mode: str | None = None) -> str:
        name = f"{request.node.name.split('[')[0].removeprefix('test_').replace('_', '-')[:50].strip('-')}-{len(made)}"
        labels = {"sizewise.dev/mode": mode} if mode else {}
        kubernetes_cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        )
        made.append(name)
        return name

    yield make
    for name in made:
        kubernetes_cluster.kubectl("-n", name, "delete", "pods", "--all", "--grace-period=0", "--force")
