"""GPUs of a job: a MIG slice where the workload's own use says that one is enough, and what would do as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.hardware.discovery import find_gpu
from models.hardware.geometry import MigGpu
from models.speed.artifact import SpeedModel
from recommender.decision import GpuAction, GpuChoice, GpuOption
from recommender.gpu_seen import GpuHeld, GpuSeen, advise_slice
from recommender.mig.choose import SliceAdvice, SlicePolicy
from recommender.mig.eligible import Because

_KEPT = Because("as-asked", "no GPU telemetry of it was seen: what is asked for stays")
_NO_ROOM = "no-room"


@dataclass(frozen=True, slots=True)
class GpuAsked:
    """As the scheduler has it. bears_risk: whether a slice may be taken that is near the slowdown that policy allows."""

    option: GpuOption
    models: tuple[str, ...] = ()
    bears_risk: bool = True


def gpu_choice(
    asked: GpuAsked, seen: GpuSeen | None, held: GpuHeld | None, model: SpeedModel, policy: SlicePolicy
) -> GpuChoice | None:
    """What to take, and the alternatives; None when no GPU is asked for."""
    if not asked.option.count:
        return None
    if seen is None:
        return _as_asked(asked, _KEPT)
    if (other := _other_model(asked, seen)) is not None:
        return _as_asked(asked, other, seen_on=seen.model)
    if asked.option.share_ratio < 1:
        said = (
            "a share of a GPU by time is asked for: MIG slices are another way to share, ask for a whole GPU to compare"
        )
        return _as_asked(asked, Because("shared-gpu", said), seen_on=seen.model)
    advice, mig = advise_slice(seen, held, model, policy)
    if mig is None or advice.profile is None or asked.option.count > 1 or asked.option.mig_profile:
        return _as_asked(asked, *advice.because, seen_on=seen.model)
    return _sliced(asked, seen.model, advice, mig, policy)


def taking(choice: GpuChoice, option: GpuOption) -> GpuChoice:
    """The choice with this one of its options, because those before it are free nowhere."""
    if option == choice.take:
        return choice
    said = (
        f"no candidate node has room for {choice.take.mig_profile or 'a whole GPU'}: POST /v1/pack says how to cut GPUs"
    )
    others = tuple(other for other in (choice.take, *choice.alternatives) if other != option)
    action: GpuAction = "slice" if option.mig_profile else "whole"
    return replace(
        choice, take=option, alternatives=others, action=action, because=(*choice.because, Because(_NO_ROOM, said))
    )


def _sliced(asked: GpuAsked, seen_on: str, advice: SliceAdvice, mig: MigGpu, policy: SlicePolicy) -> GpuChoice:
    because, options = advice.because, list(_options(asked, advice, mig, policy))
    action: GpuAction = "as-asked" if advice.action == "refused" else advice.action
    if not asked.bears_risk and (advice.action == "probe" or (advice.action == "slice" and not advice.safe)):
        said = "its priority is high and the slice is near the slowdown that policy allows: the whole GPU"
        because, action, options = (*because, Because("priority", said)), "whole", options[::-1]
    return GpuChoice(asked.option, options[0], tuple(options[1:]), asked.models, seen_on, action, because)


def _options(asked: GpuAsked, advice: SliceAdvice, mig: MigGpu, policy: SlicePolicy) -> Iterator[GpuOption]:
    """The advised slice, then the larger ones that are fast enough, and the whole GPU as what was asked for."""
    line = 1 / (1 + policy.max_slowdown_ratio)
    assert advice.profile is not None
    at = mig.sizes.index(advice.profile)
    for profile in mig.sizes[at:]:
        speed = advice.speeds.get(profile.key, 0.0)
        if profile is not mig.whole and speed >= line:
            yield GpuOption(profile.name, 1, speed_ratio=round(speed, 4))
    yield asked.option


def _other_model(asked: GpuAsked, seen: GpuSeen) -> Because | None:
    """Utilisation on one model says little of another."""
    wanted = {known.name for name in asked.models if (known := find_gpu(name))}
    if not asked.models or seen.model in wanted:
        return None
    said = f"it was seen on {seen.model or 'a GPU that the catalogue lacks'}, and another model is asked for"
    return Because("other-gpu", f"{said}: what it used there does not carry over, what is asked for stays")


def _as_asked(asked: GpuAsked, *because: Because, seen_on: str = "") -> GpuChoice:
    return GpuChoice(asked.option, asked.option, (), asked.models, seen_on, "as-asked", because)
