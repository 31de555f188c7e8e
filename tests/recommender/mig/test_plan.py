"""The whole answer for a set of workloads on the GPUs of today, and profiles in the words of schedulers."""

from __future__ import annotations

from models.hardware.geometry import Slot
from models.hardware.mig_table import MIG_GPUS
from recommender.mig.demand import Demand, GpuKind, Instance, Size
from recommender.mig.dialects import dra_selector, kubernetes_resource, mig_profile_of, slurm_gres
from recommender.mig.match import GpuState
from recommender.mig.plan import plan

KIND = GpuKind("a100", MIG_GPUS["A100-80"])


def test_two_half_empty_gpus_become_one() -> None:
    """x and y hold a 3g each on two GPUs; one GPU carries both: y moves, x stays, and one compute slice is stranded."""
    now = [
        GpuState("a", "a100", (Instance(Slot(0, "3g"), "x"),)),
        GpuState("b", "a100", (Instance(Slot(0, "3g"), "y"),)),
    ]
    three = {Size("a100", key): 1.0 for key in ("3g", "4g", "7g")}
    answer = plan([Demand("x", 1, three), Demand("y", 1, three)], now, [KIND])
    assert len(answer.packing.gpus) == 1
    assert answer.packing.proven
    assert not answer.moves.blocked
    assert len(answer.moves.steps) == 2
    used = [gpu for gpu in answer.layout if gpu.instances]
    assert {i.tenant for i in used[0].instances} == {"x", "y"}
    assert answer.fragmentation[0].gpu == used[0].uuid


def test_a_tenant_that_nobody_names_any_more_is_deleted() -> None:
    """Only x is asked for; y ended."""
    now = [GpuState("a", "a100", (Instance(Slot(0, "3g"), "x"), Instance(Slot(4, "3g"), "y")))]
    answer = plan([Demand("x", 1, {Size("a100", "3g"): 1.0})], now, [KIND])
    assert [(s.action, s.tenant) for s in answer.moves.steps] == [("delete", "y")]


def test_who_runs_is_not_moved_for_a_packing_that_has_no_room_for_all() -> None:
    """x runs on the one GPU; a whole-GPU job z is asked for as well. Whichever the packing leaves out, x stays."""
    now = [GpuState("a", "a100", (Instance(Slot(0, "3g"), "x"),))]
    demands = [Demand("x", 1, {Size("a100", "3g"): 1.0}), Demand("z", 1, {Size("a100", "7g"): 1.0})]
    answer = plan(demands, now, [KIND])
    assert answer.packing.unplaced == {"x": 1.0}
    assert (answer.layout, answer.moves.steps) == (tuple(now), ())
    assert "no room for x" in answer.moves.reason


def test_profiles_in_the_words_of_schedulers() -> None:
    """The media variant has a dot where NVML has a plus."""
    profile = KIND.mig.profile("1g+me")
    assert kubernetes_resource(profile.name) == {"nvidia.com/mig-1g.10gb.me": "1"}
    assert mig_profile_of("nvidia.com/mig-1g.10gb.me") == profile.name
    assert (mig_profile_of("nvidia.com/gpu"), mig_profile_of("nvidia.com/mig-none")) == (None, None)
    assert dra_selector(KIND.mig.profile("3g").name) == "device.attributes['gpu.nvidia.com'].profile == '3g.40gb'"
    assert slurm_gres("3g.40gb", 2) == "gpu:3g.40gb:2"
    assert slurm_gres("3g.40gb", 1, "NVIDIA A100-SXM4-80GB") == "gpu:a100_3g.40gb:1"
    assert (slurm_gres("", 2, "A100-SXM-80"), slurm_gres("", 2)) == ("gpu:a100:2", "gpu:2")
