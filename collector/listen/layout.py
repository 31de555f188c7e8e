"""Where a foreign metric goes in a row, worked out once from the table of names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from collector.names.foreign import Foreign
from collector.names.table import TABLE
from models.signals import RowKind

SIZES = ("cpu_request_cores", "memory_request_bytes", "cpu_limit_cores", "memory_limit_bytes")
"""Signals that another exporter tells, at its own times: the newest value of each is written into every row."""


class Form(IntEnum):
    """How the samples of a series become the number in its slot."""

    LEVEL = 0
    RATE = 1
    GROWTH = 2


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of a row: the samples of one foreign metric."""

    index: int
    form: Form
    foreign: Foreign


@dataclass(frozen=True, slots=True)
class Output:
    """One signal of a row out of its slots. how: the slot itself, over another's growth, or less another's level."""

    foreign: Foreign
    how: Literal["same", "share", "rest"]
    slot: int
    other: int = -1


class Layout:
    """The slots and signals of rows of one kind. A lower slot is the better one to take a row's times from.

    forms, sums: by slot, its Form and whether several series are added up."""

    def __init__(self, kind: RowKind) -> None:
        self.kind = kind
        self.slots: list[Slot] = []
        self.outputs: list[Output] = []
        self._of: dict[int, Slot] = {}
        self._of_other: dict[str, Slot] = {}
        for foreign in TABLE:
            if foreign.kind == kind and foreign.signal not in SIZES:
                self._add(foreign)
        self.forms = np.array([slot.form for slot in self.slots], np.int8)
        self.sums = np.array([slot.foreign.sums for slot in self.slots], np.bool_)

    def slot(self, foreign: Foreign) -> Slot:
        return self._of[id(foreign)]

    def other(self, name: str) -> Slot | None:
        """The slot of a metric that only divides or is taken from another one."""
        return self._of_other.get(name)

    def _add(self, foreign: Foreign) -> None:
        form = {"rate": Form.RATE, "periods": Form.GROWTH}.get(foreign.use, Form.LEVEL)
        slot = self._of[id(foreign)] = self._slot(form, foreign)
        if not foreign.over:
            self.outputs.append(Output(foreign, "same", slot.index))
            return
        other = self._of_other.setdefault(foreign.over, self._slot(form, foreign))
        self.outputs.append(Output(foreign, "share" if foreign.use == "periods" else "rest", slot.index, other.index))

    def _slot(self, form: Form, foreign: Foreign) -> Slot:
        self.slots.append(Slot(len(self.slots), form, foreign))
        return self.slots[-1]


LAYOUTS: dict[RowKind, Layout] = {"cpu": Layout("cpu"), "gpu": Layout("gpu")}
