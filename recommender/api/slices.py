"""MIG advice for one workload, as a part of its recommendation."""

from __future__ import annotations

from functools import cached_property

from models.hardware.geometry import MigGpu
from models.speed.artifact import SpeedModel
from models.speed.carried import carried_model
from recommender.api.gpu_cost import gpu_cost
from recommender.api.render import Body
from recommender.api.settings import MigSettings
from recommender.gpu_seen import advise_slice, gpu_seen, gpus_held
from recommender.mig.choose import SliceAdvice, SlicePolicy
from recommender.mig.dialects import dra_selector, kubernetes_resource, slurm_gres
from recommender.view import Row, Snapshot
from recommender.view_follow import profile_of


class SliceAdvisor:
    """Advice by the model that comes with sizewise, which is read when it is first needed: 260 KB, some milliseconds."""

    def __init__(self, settings: MigSettings) -> None:
        self.policy = SlicePolicy(settings.max_slowdown_ratio, settings.memory_margin_ratio)

    @cached_property
    def model(self) -> SpeedModel:
        return carried_model()

    def body(self, snapshot: Snapshot, row: Row) -> Body | None:
        """The body of a MigAnswer; None when no GPU telemetry of it was seen."""
        profile = profile_of(row) if int(row["gpu_last_seen_ms"]) else None
        seen = gpu_seen(profile) if profile else None
        if seen is None:
            return None
        held = next(gpus_held(row.id, snapshot.nodes), None)
        advice, mig = advise_slice(seen, held, self.model, self.policy)
        return _body(advice, mig, self.policy, seen.model) | {"cost": gpu_cost(snapshot, row, seen, held, advice, mig)}


def _body(advice: SliceAdvice, mig: MigGpu | None, policy: SlicePolicy, model: str) -> Body:
    names = {profile.key: profile.name for profile in mig.sizes} if mig else {}
    return {
        "action": advice.action,
        "mig_profile": advice.profile.name if advice.profile else None,
        "safe": advice.safe,
        "probe": names.get(advice.probe),
        "speeds": [_speed(advice, key, name) for key, name in names.items() if key in advice.speeds],
        "max_slowdown_ratio": policy.max_slowdown_ratio,
        "reasons": [{"code": because.code, "sentence": because.sentence} for because in advice.because],
        "ask_for": _words(advice.profile.name, model) if advice.profile else None,
    }


def _speed(advice: SliceAdvice, key: str, name: str) -> Body:
    speeds = {"speed_ratio": advice.speeds, "lowest_ratio": advice.lowest, "highest_ratio": advice.highest}
    return {"mig_profile": name} | {field: round(of[key], 4) for field, of in speeds.items()}


def _words(profile: str, model: str) -> Body:
    return {
        "kubernetes_resource": dict(kubernetes_resource(profile)),
        "kubernetes_dra_selector": dra_selector(profile),
        "slurm_gres": slurm_gres(profile, gpu_model=model),
    }
