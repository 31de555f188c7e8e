"""What the webhook may do to a pod: nothing, say what it would do, or do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

MODE_KEY = "sizewise.dev/mode"
"""Label of a namespace and annotation of a pod: off, recommend or apply."""
GPU_MODE_KEY = "sizewise.dev/gpu-mode"
"""Annotation of a pod, for its GPUs alone."""


class Mode(IntEnum):
    OFF = 0
    RECOMMEND = 1
    APPLY = 2

    @property
    def word(self) -> str:
        return self.name.lower()


_BY_WORD: Mapping[str, Mode] = {mode.word: mode for mode in Mode}


def mode_of(word: str | None) -> Mode | None:
    """None for what is no mode. To the letter, as selectors of Kubernetes compare labels."""
    return _BY_WORD.get(word or "")


@dataclass(frozen=True, slots=True)
class Granted:
    """The mode of one pod and, where it is below what its namespace has, why."""

    mode: Mode
    why: str = ""


def pod_mode(namespace: Mode, annotations: Mapping[str, str], may_raise: bool) -> Granted:
    """A pod's own annotation lowers what its namespace has, and raises it only where policy lets it. A word that is no
    mode was meant as some: it is taken for the most careful one."""
    if (word := annotations.get(MODE_KEY)) is None:
        return Granted(namespace)
    asked = mode_of(word)
    if asked is None:
        return Granted(Mode.OFF, f"{MODE_KEY}={word[:20]!r} is not off, recommend or apply")
    return Granted(asked if may_raise else min(asked, namespace))
