"""Watches start in threads of their own, and the process lives."""

from __future__ import annotations

import subprocess
import sys

_ALL_AT_ONCE = """
import sys, threading
from lightkube import KubeConfig
from lightkube.core.decoders import decode_list, decode_watch_event
from lightkube.resources.apps_v1 import ReplicaSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import LimitRange, Namespace, ResourceQuota
from recommender.adapters.kubernetes.client import prepare

CONFIG = {
    "clusters": [{"name": "c", "cluster": {"server": "https://c"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}
kinds = (ReplicaSet, Job, LimitRange, Namespace, ResourceQuota)
prepare(*kinds)
sys.setswitchinterval(1e-6)
together = threading.Barrier(len(kinds))

def first_use(kind):
    together.wait()
    KubeConfig.from_dict(CONFIG)
    decode_list(b'{"items": [{"metadata": {"name": "x"}}]}', kind)
    decode_watch_event(b'{"type": "ADDED", "object": {}}')

threads = [threading.Thread(target=first_use, args=(kind,)) for kind in kinds]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_may_decode_at_once() -> None:
    """Without `prepare` every second such process dies of a segmentation fault in msgspec, so of four hardly none."""
    ends = [subprocess.run([sys.executable, "-c", _ALL_AT_ONCE], check=False).returncode for _ in range(4)]
    assert ends == [0, 0, 0, 0]
