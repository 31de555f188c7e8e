"""Names out of pod names, paths and command lines."""

from __future__ import annotations

import pytest

from collector.host.commands import command_name
from collector.host.found import Found, KubeContainer, PlainContainer, SlurmStep, Unit
from collector.host.recognise import recognise
from models.owners import Owner, owner_by_labels, owner_of

UID = "0123abcd-0123-4567-89ab-0123456789ab"
UID_ = UID.replace("-", "_")
ID = "0f" * 32
BURSTABLE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice"
BESTEFFORT = f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice"
UNSPLIT = f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}"
APPS = "/user.slice/user-1000.slice/user@1000.service/app.slice"


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        ("coredns-5d78c9869d-v7m2x", Owner("Deployment", "coredns")),
        ("my-api-v2-66bff467f8-9zk4t", Owner("Deployment", "my-api-v2")),
        ("backup-28394520-k8x2p", Owner("CronJob", "backup")),
        ("backup-1616161620-k8x2p", Owner("CronJob", "backup")),
        ("kube-proxy-x7k2p", Owner("Pods", "kube-proxy")),
        ("train-resnet-3-x7k2p", Owner("Pods", "train-resnet")),
        ("postgres-0", Owner("StatefulSet", "postgres")),
        ("es-data-hot-12", Owner("StatefulSet", "es-data-hot")),
        ("etcd-node-7.example.org", Owner("StaticPod", "etcd")),
        ("debug", Owner("Pod", "debug")),
        ("redis-master", Owner("Pod", "redis-master")),
        ("api-abcde", Owner("Pod", "api-abcde")),  # vowels: no generated tail
        ("api-aaaaaaaaa-x7k2p", Owner("Pods", "api-aaaaaaaaa")),  # not the alphabet of a ReplicaSet's hash
    ],
)
def test_owner_by_pod_name(pod: str, owner: Owner) -> None:
    """What Kubernetes appends is left out, and only that."""
    assert owner_of(pod, "node-7.example.org") == owner


@pytest.mark.parametrize(
    ("pod", "labels", "owner"),
    [
        ("web-1-7d9c8b6f5-x2k4m", {"pod-template-hash": "7d9c8b6f5"}, Owner("Deployment", "web-1")),
        ("db-0", {"controller-revision-hash": "db-1", "statefulset.kubernetes.io/pod-name": "db-0"}, Owner("StatefulSet", "db")),
        ("train-x7k2p", {"job-name": "train"}, Owner("Job", "train")),
        ("nightly-28394520-x7k2p", {"job-name": "nightly-28394520"}, Owner("CronJob", "nightly")),
        ("agent-x7k2p", {"controller-revision-hash": "6b9f8"}, Owner("DaemonSet", "agent")),
        ("debug", {"app": "x"}, None),
    ],
)  # fmt: skip
def test_owner_by_labels(pod: str, labels: dict[str, str], owner: Owner | None) -> None:
    """Where the node has the labels that controllers set, the kind is certain."""
    assert owner_by_labels(pod, labels) == owner


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"/kubepods/pod{UID}/{ID}", KubeContainer(UID, ID, "guaranteed")),
        (f"/kubepods/burstable/pod{UID}/{ID}", KubeContainer(UID, ID, "burstable")),
        (f"/kubepods/besteffort/pod{UID}/crio-{ID}", KubeContainer(UID, ID, "besteffort")),
        (f"/kubepods/pod{'ab' * 16}/{ID}", KubeContainer("ab" * 16, ID, "guaranteed")),
        (f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope", KubeContainer(UID, ID, "guaranteed")),
        (f"{BURSTABLE}/crio-{ID}.scope", KubeContainer(UID, ID, "burstable")),
        (f"{BESTEFFORT}/docker-{ID}.scope", KubeContainer(UID, ID, "besteffort")),
        (UNSPLIT, KubeContainer(UID, ID, "burstable")),
        (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{ID}.scope", None),
        (f"/kubepods.slice/kubepods-pod{UID_}.slice", None),
        ("/slurm/uid_1000/job_99/step_0", SlurmStep("99", "0")),
        ("/slurm_n7/uid_1000/job_99/step_batch", SlurmStep("99", "batch")),
        ("/system.slice/slurmstepd.scope/job_99/step_extern", SlurmStep("99", "extern")),
        ("/system.slice/n7_slurmstepd.scope/job_99/step_interactive", SlurmStep("99", "interactive")),
        ("/system.slice/slurmstepd.scope/job_99", None),
        ("/system.slice/slurmstepd.scope", None),
        (f"/docker/{ID}", PlainContainer("docker", ID)),
        (f"/system.slice/docker-{ID}.scope", PlainContainer("docker", ID)),
        (f"/machine.slice/libpod-{ID}.scope", PlainContainer("podman", ID)),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope", PlainContainer("podman", ID)),
        ("/system.slice/nginx.service", Unit("nginx.service")),
        (r"/system.slice/systemd-fsck@dev-disk-by\x2duuid-1.service", Unit("systemd-fsck@dev-disk-by-uuid-1.service")),
        ("/system.slice/sshd@7-10.0.0.1:22-10.0.0.9:51022.service", Unit("sshd@.service")),
        ("/system.slice/system-getty.slice/getty@tty1.service", Unit("getty@tty1.service")),
        ("/user.slice/user-1000.slice/user@1000.service", None),
        (f"{APPS}/syncthing.service", Unit("syncthing.service", user=True)),
        (f"{APPS}/app-gnome-org.gimp.GIMP-4711.scope", Unit("org.gimp.GIMP", user=True)),
        (f"{APPS}/app-flatpak-org.signal.Signal-4711.scope", Unit("org.signal.Signal", user=True)),
        ("/user.slice/user-1000.slice/session-2.scope", None),
        ("/system.slice/run-u42.service", None),
        ("/init.scope", None),
        ("/process_api/283d27adf8e6cac8ce5bc2b48c3f36c0", None),
        ("/", None),
    ],
)  # fmt: skip
def test_paths(path: str, found: Found | None) -> None:
    """Every layout in use; what only holds others is no workload."""
    assert recognise(path) == found


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/usr/bin/python3.11", "-u", "train.py", "--password", "hunter2"], "train.py"),
        (["python", "-W", "ignore", "/srv/app/main.py"], "app:main.py"),
        (["python", "-m", "http.server", "8000"], "http.server"),
        (["python", "-c", "token='hunter2'"], "python"),
        (["/work/.venv/bin/python", "/work/.venv/bin/gunicorn", "app:app"], "gunicorn"),
        (["java", "-Xmx2g", "-Dkey=hunter2", "-jar", "/opt/billing-1.4.2.jar"], "billing.jar"),
        (["java", "-cp", "/a.jar:/b.jar", "kafka.Kafka", "server.properties"], "kafka.Kafka"),
        (["java", "-Dsecret=hunter2"], "java"),
        (["node", "/app/server.js"], "app:server.js"),
        (["node", "-e", "hunter2"], "node"),
        (["-bash"], "bash"),
        (["bash", "-lc", "curl -H hunter2"], "bash"),
        (["bash", "/dev/fd/3"], "bash"),
        (["/bin/sh", "/etc/cron.daily/logrotate"], "logrotate"),
        (["perl", "API_KEY=hunter2"], "perl"),
        (["nginx: worker process"], "nginx"),
        (["postgres: ann shop 10.0.0.1(5022) idle"], "postgres"),
        (["/opt/google/chrome/chrome --type=renderer --token=hunter2"], "chrome"),
        (["/usr/lib/firefox/firefox", "-contentproc"], "firefox"),
        (["redis-server *:6379"], "redis-server"),
        (["/opt/odd näme$(x)"], "odd"),
        ([""], "comm"),
        (["x" * 200], "x" * 64),
    ],
)
def test_command_names(arguments: list[str], name: str) -> None:
    """What a person calls it, and nothing of its arguments."""
    assert command_name(arguments, "comm") == name
