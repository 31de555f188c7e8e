"""A dcgm-exporter's page into GPU rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.dcgm.exposition import samples
from collector.dcgm.settings import DcgmSettings
from collector.dcgm.source import DcgmSource, scraped
from collector.host.whose import Instance
from collector.names.table import DCGM
from collector.names.who import GpuUse
from collector.source import Moment, SourceError
from models.inventory import Allocation
from recommender.placement.inventory import room_of
from tests.collector.dcgm.pages import BASE_UNITS, NEW, OLD, exporter
from tests.collector.metered import CountingMeter

H100 = "NVIDIA H100 80GB HBM3"
BERT = GpuUse("prod/ml/Deployment/bert/train", "bert-7d9f8b6c5d-x2x4z/train", "GPU-aa", H100, "")
IDLE = GpuUse("prod/host/machine/node-1/", "node-1", "GPU-bb", H100, "")


def scrape_of(page: str) -> dict[GpuUse, dict[str, float]]:
    return scraped(samples(page), "prod").gpus


@pytest.mark.parametrize("page", [OLD, NEW, BASE_UNITS], ids=["dcgm 4.5", "dcgm 4.6", "dcgm 4.7"])
def test_all_spellings_give_the_same_rows(page: str) -> None:
    """Percent to ratio, MiB to bytes, MHz to hertz; the blank DRAM value and the blank power are missing, not huge;
    a ratio of 1.0009 is 1; the idle GPU belongs to its machine."""
    assert scrape_of(page) == {
        BERT: {
            "gpu_utilization_ratio": 0.87,
            "framebuffer_used_bytes": 40960 * 2**20,
            "framebuffer_total_bytes": 81559 * 2**20,
            "sm_clock_hertz": 1980e6,
            "power_watts": 512.75,
            "sm_active_ratio": 1.0,
            "tensor_active_ratio": 0.41,
            "pcie_receive_bytes_per_s": 1.44e9,
        },
        IDLE: {"gpu_utilization_ratio": 0.0},
    }


@pytest.mark.parametrize(
    ("labels", "workload", "instance", "uuid", "mig"),
    [
        # a MIG instance, whose own id the parent's does not tell
        ('GPU_I_PROFILE="1g.10gb",GPU_I_ID="7",namespace="ml",pod="web-0",container="c"',
         "prod/ml/StatefulSet/web/c", "web-0/c", "GPU-aa/7", "1g.10gb"),
        # DRA names the instance itself
        ('GPU_I_PROFILE="1g.10gb",GPU_I_ID="7",dra_mig_device_uuid="MIG-1",namespace="ml",pod="web-0",container="c"',
         "prod/ml/StatefulSet/web/c", "web-0/c", "MIG-1", "1g.10gb"),
        # Prometheus without honor_labels: `pod` is the exporter's
        ('exported_namespace="ml",exported_pod="web-0",exported_container="c",namespace="mon",pod="dcgm-exporter-x2x4z",'
         'container="exporter"', "prod/ml/StatefulSet/web/c", "web-0/c", "GPU-aa", ""),
        # the same for a GPU that nobody has
        ('namespace="mon",pod="nvidia-dcgm-exporter-x2x4z",container="exporter"',
         "prod/host/machine/node-1/", "node-1", "GPU-aa", ""),
        ('hpc_job="4711"', "prod//slurm-job/job-4711/", "4711@node-1", "GPU-aa", ""),
        # dcgm-exporter 1.x
        ('pod_namespace="ml",pod_name="web-0",container_name="c"',
         "prod/ml/StatefulSet/web/c", "web-0/c", "GPU-aa", ""),
        ('namespace="ml",pod="web-0",container="c",pod_uid="12345678-0000-4000-8000-000000000000"',
         "prod/ml/StatefulSet/web/c", "web-0/c", "GPU-aa", ""),
    ],
)  # fmt: skip
def test_whose_a_gpu_is(labels: str, workload: str, instance: str, uuid: str, mig: str) -> None:
    """By the labels of every exporter that is in use."""
    line = f'DCGM_FI_DEV_GPU_UTIL{{UUID="GPU-aa",modelName="{H100}",Hostname="node-1",{labels}}} 1\n'
    assert list(scrape_of(line)) == [GpuUse(workload, instance, uuid, H100, mig)]


@pytest.mark.parametrize(
    "labels",
    ['vgpu="{n}",namespace="ml",pod="web-{n}",container="c"', 'hpc_job="{n}"'],
    ids=["time-sliced pods", "jobs of Slurm"],
)
def test_what_a_shared_gpu_does_as_a_whole_is_the_machines_and_counted_once(labels: str) -> None:
    """The exporter repeats the device's 80 % and 300 W for each of two users; device memory it split by process: 2 and 3 GiB.
    Nobody's profile says 80 %, and 300 W are not 600."""
    common = f'UUID="GPU-aa",modelName="{H100}",Hostname="node-1"'
    page = "".join(
        f"DCGM_FI_DEV_GPU_UTIL{{{common},{labels.format(n=n)}}} 80\n"
        f"DCGM_FI_DEV_POWER_USAGE{{{common},{labels.format(n=n)}}} 300\n"
        f"DCGM_FI_DEV_FB_USED{{{common},{labels.format(n=n)}}} {1024 * (n + 1)}\n"
        for n in (1, 2)
    )
    machine, *users = scrape_of(page).items()
    assert machine == (
        GpuUse("prod/host/machine/node-1/", "node-1", "GPU-aa", H100, ""),
        {"gpu_utilization_ratio": 0.8, "power_watts": 300.0, "gpu_sharers": 2.0},
    )
    assert [signals for _, signals in users] == [
        {"framebuffer_used_bytes": gib * 2.0**30, "gpu_sharers": 2.0} for gib in (2, 3)
    ]
    assert len({use.workload + use.instance for use, _ in users}) == 2


def test_the_node_knows_a_shared_gpu_once_with_its_memory() -> None:
    """Its size stands in the machine's row, and in none of the users'."""
    page = "".join(
        f'DCGM_FI_DEV_FB_TOTAL{{UUID="GPU-aa",modelName="{H100}",Hostname="node-1",hpc_job="{n}"}} 81559\n'
        for n in (1, 2)
    )
    with exporter(page) as server:
        reading = DcgmSource(DcgmSettings(server.url), "prod", "node-1", CountingMeter()).read(Moment(0, 0))
    assert reading.node is not None
    assert [(gpu.uuid, gpu.memory_bytes) for gpu in reading.node.gpus] == [("GPU-aa", 81559 * 2**20)]


def test_values_that_no_gpu_can_have_are_left_out_and_counted() -> None:
    """A terahertz clock is no clock: missing, not clamped; the ratio above 1 is clamped. Both are counted."""
    page = (
        'DCGM_FI_DEV_SM_CLOCK{UUID="GPU-aa",Hostname="n"} 1000000000\n'
        'DCGM_FI_PROF_SM_ACTIVE{UUID="GPU-aa",Hostname="n"} 1.2\n'
        'DCGM_FI_PROF_DRAM_ACTIVE{UUID="GPU-aa",Hostname="n"} -1\n'
    )
    scrape = scraped(samples(page), "prod")
    assert list(scrape.gpus.values()) == [{"sm_active_ratio": 1.0}]
    assert scrape.clamped == 2


def test_a_scrape_is_rows_inventory_and_coverage() -> None:
    """Two reads 30 s apart: the second row describes the 30 s between; read earlier, the source has nothing new."""
    meter = CountingMeter()
    with exporter(OLD) as server:
        source = DcgmSource(DcgmSettings(server.url), "prod", "node-1", meter)
        first = source.read(Moment(1_000_000, 0))
        early = source.read(Moment(1_010_000, 10_000))
        second = source.read(Moment(1_031_000, 31_000))
    assert early.batches == ()
    assert early.node is None
    (batch,) = second.batches
    assert batch.kind == "gpu"
    assert list(batch.time_ms) == [1_031_000] * 2
    assert list(batch.interval_ms) == [31_000] * 2
    assert list(first.batches[0].interval_ms) == [30_000] * 2
    assert batch.keys["gpu_uuid"] == ("GPU-aa", "GPU-bb")
    assert batch.signals["power_watts"] == [512.75, None]
    assert second.node is not None
    assert [(gpu.uuid, gpu.memory_bytes) for gpu in second.node.gpus] == [("GPU-aa", 81559 * 2**20), ("GPU-bb", 0)]
    unseen = {one.signal: one.reason for one in second.node.coverage if not one.seen}
    assert "field 1005" in unseen["dram_active_ratio"]
    assert "counters.csv" in unseen["dram_active_ratio"]
    assert "sm_active_ratio" not in unseen
    assert meter.counts["sizewise_collector_clamped_values_total"] == 2  # SM 1.0009, in each scrape


@pytest.mark.parametrize(
    ("status", "page", "says"),
    [(500, OLD, "500"), (200, "<html>not metrics</html>", "no Prometheus metrics"), (200, "a" * (17 << 20), "over")],
)
def test_a_page_that_is_none_is_a_source_error(status: int, page: str, says: str) -> None:
    """It names the url."""
    with exporter(page) as server:
        server.status = status
        source = DcgmSource(DcgmSettings(server.url), "prod", "node-1", CountingMeter())
        with pytest.raises(SourceError, match=says) as error:
            source.read(Moment(0, 0))
    assert server.url in str(error.value)


def test_an_exporter_that_is_away_is_a_source_error_and_comes_back() -> None:
    """After it answers again the next read has rows."""
    with exporter(OLD) as server:
        source = DcgmSource(DcgmSettings(server.url), "prod", "node-1", CountingMeter())
    with pytest.raises(SourceError, match="is it running"):
        source.read(Moment(0, 0))
    assert DcgmSettings().url == ""
    with pytest.raises(ValueError, match="http"):
        DcgmSettings("node-1:9400")


def test_an_empty_page_says_that_there_is_no_gpu() -> None:
    """No row; each signal's coverage has the reason."""
    with exporter("# nothing\n") as server:
        reading = DcgmSource(DcgmSettings(server.url), "", "node-1", CountingMeter()).read(Moment(0, 0))
    assert [len(batch) for batch in reading.batches] == [0]
    assert reading.node is not None
    assert all("shows no GPU" in one.reason for one in reading.node.coverage)


def test_the_counters_file_turns_on_every_field_that_is_read() -> None:
    """deploy/dcgm/counters.csv has one spelling of each signal in the table, each once, as a gauge."""
    lines = (Path(__file__).parents[3] / "deploy/dcgm/counters.csv").read_text().splitlines()
    rows = [line.split(",", 2) for line in lines if not line.startswith("#")]
    names = [row[0].strip() for row in rows]
    assert len(set(names)) == len(names)
    assert all(row[1].strip() == "gauge" for row in rows)
    turned_on = {foreign.signal for foreign in DCGM if any(name in names for name in foreign.names)}
    assert turned_on == {foreign.signal for foreign in DCGM}


class OneContainer:
    """A machine that runs one container, under a better name than its pod's."""

    def container(self, namespace: str, pod: str, container: str) -> Instance | None:
        mine = (namespace, pod, container) == ("ml", "bert-7d9f8b6c5d-x2x4z", "train")
        return Instance("prod/ml/RayJob/bert/train", "uid-1/0123456789ab") if mine else None


def test_a_gpu_that_a_pod_has_is_not_free() -> None:
    """The node says who holds GPU-aa, under the very name and instance that the host gives the container; nobody holds GPU-bb,
    and placement may give it away."""
    with exporter(OLD) as server:
        source = DcgmSource(DcgmSettings(server.url), "prod", "node-1", CountingMeter(), OneContainer())
        reading = source.read(Moment(0, 0))
    assert reading.node is not None
    assert reading.node.allocations == (
        Allocation("prod/ml/RayJob/bert/train", "uid-1/0123456789ab", gpu_uuids=("GPU-aa",)),
    )
    assert reading.batches[0].keys["workload"][0] == "prod/ml/RayJob/bert/train"
    assert reading.batches[0].keys["instance"][0] == "uid-1/0123456789ab"
    assert room_of(reading.node).gpu_milli == (0, 1000)


def test_a_container_that_the_host_does_not_know_goes_by_its_pod() -> None:
    """An exporter of another machine, or a container that has no name yet."""
    with exporter(OLD.replace("bert-", "gpt-")) as server:
        source = DcgmSource(DcgmSettings(server.url), "prod", "node-1", CountingMeter(), OneContainer())
        reading = source.read(Moment(0, 0))
    assert reading.node is not None
    assert [held.workload for held in reading.node.allocations] == ["prod/ml/Deployment/gpt/train"]
