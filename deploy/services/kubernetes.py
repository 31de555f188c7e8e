"""A Kubernetes control plane: etcd and kube-apiserver, and a kube-scheduler for who asks for one.

There is no kubelet and no controller manager: a node is an object that a test writes, a pod that is bound stays pending.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.services import debian, kubernetes_build
from deploy.services.process import Process, free_port, require_free
from deploy.services.service import Service, ServiceError, Tool

TOKEN = "for-tests-only"  # noqa: S105  (of an administrator of a cluster that hears 127.0.0.1 only)

_READY_S, _KUBECTL_S = 60.0, 60.0
_AUDIT_POLICY = kubernetes_build.SOURCE / "audit-policy.yaml"


class KubernetesCluster:
    """A cluster on 127.0.0.1 with its own data folder. `close` ends and removes it; nothing of it outlives that."""

    def __init__(self, home: Path, port: int | None = None, flags: Sequence[str] = ()) -> None:
        """flags: added to kube-apiserver's command line. Returns when requests are answered."""
        self._bin = home / "usr" / "bin"
        self._port = port or free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="sizewise-kubernetes-"))
        self.kubeconfig = self._folder / "kubeconfig.json"
        """Of an administrator."""
        self.ca_file = self._folder / "certificates" / "apiserver.crt"
        self._audit_log = self._folder / "audit.log"
        self._processes: list[Process] = []
        try:
            self._start_api_server(self._start_etcd(), flags)
            self._write_kubeconfig(self.kubeconfig, TOKEN)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Of kube-apiserver."""
        return self._processes[1].pid

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the kubectl that was built beside it, to its end; warnings are in `stderr`.

        Raises ServiceError with what kubectl said when it fails.
        """
        command = [str(self._bin / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=_KUBECTL_S, check=False)
        if done.returncode:
            raise ServiceError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def get(self, *arguments: str) -> Any:
        """What `kubectl get ARGUMENTS -o json` answers, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def apply(self, *manifests: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Server-side apply of objects. Raises ServiceError when one is refused."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        return self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items))

    def patch_status(self, resource: str, patch: Mapping[str, Any], namespace: str = "default") -> None:
        """Write what a kubelet or a controller would: a merge patch of the status of KIND/NAME."""
        options = ("--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")
        self.kubectl("-n", namespace, "patch", resource, *options)

    def add_node(self, name: str, capacity: Mapping[str, str], labels: Mapping[str, str] | None = None) -> None:
        """A node that is ready and has `capacity`, all of it allocatable. Pods can be bound to it; nothing runs them."""
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": dict(labels or {})}})
        ready = {"type": "Ready", "status": "True", "reason": "Written", "message": "by a test"}
        room = {"pods": "110", **capacity}
        self.patch_status(f"node/{name}", {"status": {"capacity": room, "allocatable": room, "conditions": [ready]}})
        self.kubectl("taint", "node", name, "node.kubernetes.io/not-ready:NoSchedule-")

    def kubeconfig_of(self, namespace: str, service_account: str) -> Path:
        """A kubeconfig with the rights of a service account, and no more, for an hour."""
        token = self.kubectl("-n", namespace, "create", "token", service_account).stdout.strip()
        path = self._folder / f"{namespace}-{service_account}.json"
        self._write_kubeconfig(path, token)
        return path

    def audit_events(self) -> list[dict[str, Any]]:
        """The changes of pods, oldest first, as the audit log has them."""
        return [json.loads(line) for line in self._audit_log.read_text().splitlines()]

    def start_scheduler(self, configuration: Mapping[str, Any] | None = None) -> KubeScheduler:
        """configuration: keys of a KubeSchedulerConfiguration, say `extenders`. Ended with the cluster at the latest."""
        scheduler = KubeScheduler(self._bin, self.kubeconfig, self._folder, configuration or {})
        self._processes.append(scheduler.process)
        return scheduler

    def wait(self) -> int:
        return self._processes[1].wait()

    def hint(self) -> Sequence[str]:
        return (
            f"url          {self.url}",
            f"export       KUBECONFIG={self.kubeconfig}",
            f"kubectl      {self._bin / 'kubectl'}",
            "try          kubectl apply -k deploy/kubernetes",
        )

    def close(self) -> None:
        """Killed, not asked: what they would still write is removed anyway."""
        while self._processes:
            self._processes.pop().kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_etcd(self) -> str:
        clients, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        options = {
            "data-dir": self._folder / "etcd",
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        }
        etcd = self._run("etcd", options)
        etcd.await_ready(lambda: _answers(f"{clients}/health"), _READY_S)
        return clients

    def _start_api_server(self, etcd: str, flags: Sequence[str]) -> None:
        require_free(self._port)
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f'{TOKEN},admin,1,"system:masters"\n')
        key = self._folder / "certificates" / "apiserver.key"  # made by kube-apiserver itself before it reads it
        options = {
            "etcd-servers": etcd,
            "bind-address": "127.0.0.1",
            "secure-port": self._port,
            "cert-dir": key.parent,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": "ServiceAccount",  # nobody here would make a namespace's default account
            "endpoint-reconciler-type": "none",
            "token-auth-file": tokens,
            "authorization-mode": "RBAC",
            "audit-policy-file": _AUDIT_POLICY,
            "audit-log-path": self._audit_log,
        }
        server = self._run("kube-apiserver", options, flags)
        server.await_ready(self._serves, _READY_S)

    def _run(self, program: str, options: Mapping[str, object], flags: Sequence[str] = ()) -> Process:
        arguments = [f"--{key}={value}" for key, value in options.items()]
        process = Process(program, [str(self._bin / program), *arguments, *flags], self._folder / f"{program}.log")
        self._processes.append(process)
        return process

    def _serves(self) -> bool:
        """Ready, and the namespace `default` is there, which comes a moment later."""
        paths = ("/readyz", "/api/v1/namespaces/default")
        return self.ca_file.exists() and all(_answers(self.url + path, self.ca_file) for path in paths)

    def _write_kubeconfig(self, path: Path, token: str) -> None:
        """JSON is YAML; readable by its owner only, or kubectl warns."""
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
            "current-context": "tests",
        }
        path.write_text(json.dumps(document))
        path.chmod(0o600)


class KubeScheduler:
    """A kube-scheduler of a cluster, the only one there, so that it elects no leader."""

    def __init__(self, programs: Path, kubeconfig: Path, folder: Path, configuration: Mapping[str, Any]) -> None:
        """Returns when its caches are filled."""
        port = free_port()
        config = folder / f"kube-scheduler-{port}.json"
        config.write_text(json.dumps(_scheduler_configuration(kubeconfig, configuration)))
        options = (f"--config={config}", f"--secure-port={port}", "--bind-address=127.0.0.1", "--v=4")
        self._log = folder / f"kube-scheduler-{port}.log"
        self.process = Process("kube-scheduler", [str(programs / "kube-scheduler"), *options], self._log)
        self.process.await_ready(lambda: _answers(f"https://127.0.0.1:{port}/readyz"), _READY_S)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        self.process.kill()


def _scheduler_configuration(kubeconfig: Path, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        **more,
    }


def _answers(url: str, ca_file: Path | None = None) -> bool:
    """Whether it answers 200 to an administrator. Without a CA file, whoever answers is believed."""
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else ssl._create_unverified_context()  # noqa: S323
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310  (by its own url)
    try:
        with urllib.request.urlopen(request, timeout=1.0, context=tls) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


KUBERNETES = Service(
    name="kubernetes",
    version=kubernetes_build.VERSION,
    about="admits pods, and schedules them",
    cost="5 min of processor time, 275 MB",
    tools=(Tool("go", ("golang-go",)), *debian.TOOLS),
    recipe=kubernetes_build.recipe(),
    build=kubernetes_build.build,
    start=KubernetesCluster,
)
