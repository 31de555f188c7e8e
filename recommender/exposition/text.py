"""Series as columns, and as the text that Prometheus scrapes. No loop over series: Arrow joins the strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.columns import Array
from models.metrics import MetricSpec


@dataclass(frozen=True, slots=True)
class Labels:
    """Label sets of n series: their names in order, and the text `a="x",b="y"` of each (escaped)."""

    names: tuple[str, ...]
    text: pa.Array

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str] | pa.Array | pa.ChunkedArray]) -> Labels:
        """One series per row of these columns of plain text, all of one length."""
        parts: list[pa.Array | str] = []
        for name, column in columns.items():
            parts += [f'{"," if parts else ""}{name}="', _escaped(_text(column)), '"']
        return cls(tuple(columns), _joined(parts))

    def plus(self, **fixed: str) -> Labels:
        """With labels of one value for all."""
        added = "".join(f',{name}="{_escape(value)}"' for name, value in fixed.items())
        return Labels((*self.names, *fixed), _joined([self.text, added]))

    def with_columns(self, **columns: Sequence[str]) -> Labels:
        """With labels that differ from series to series."""
        more = Labels.of(columns)
        return Labels((*self.names, *more.names), _joined([self.text, ",", more.text]))

    def take(self, rows: Array) -> Labels:
        """The label sets at these places; a place may come more than once."""
        return Labels(self.names, self.text.take(pa.array(rows)))

    def __len__(self) -> int:
        return len(self.text)


class Exposition:
    """Collects families of series, each declared in a catalogue, in the order of their first series."""

    def __init__(self, catalogue: Mapping[str, MetricSpec]) -> None:
        self._catalogue = catalogue
        self._lines: dict[str, list[pa.Array]] = {}

    def add(self, name: str, labels: Labels, values: Array) -> None:
        """`values` [n] beside `labels`. What is not finite is not known: it gets no series. Raises KeyError for a name that
        the catalogue lacks, ValueError for other labels than it declares."""
        spec = self._catalogue[name]
        if labels.names != spec.labels:
            raise ValueError(f"{name} has the labels {labels.names}; the catalogue declares {spec.labels}")
        known = np.isfinite(values)
        kept = labels.text if known.all() else labels.text.filter(pa.array(known))
        numbers = pc.cast(pa.array(np.asarray(values, dtype=np.float64)[known]), pa.string())
        self._lines.setdefault(name, []).append(_joined([name + "{", kept, "} ", numbers, "\n"]))

    def one(self, name: str, labels: Labels) -> None:
        """Series of value 1, whose labels are what they say."""
        self.add(name, labels, np.ones(len(labels)))

    def single(self, name: str, value: float) -> None:
        """A metric without labels."""
        if self._catalogue[name].labels:
            raise ValueError(f"{name} has no labels here; the catalogue declares {self._catalogue[name].labels}")
        line = [f"{name} {value!r}\n"] if np.isfinite(value) else []
        self._lines.setdefault(name, []).append(pa.array(line, pa.large_string()))

    def text(self) -> bytes:
        """Everything in the text format, HELP and TYPE before each family; families without a series are left out."""
        parts: list[bytes] = []
        for name, blocks in self._lines.items():
            lines = b"".join(_bytes(block) for block in blocks)
            if lines:
                spec = self._catalogue[name]
                parts += [f"# HELP {name} {_help(spec.help)}\n# TYPE {name} {spec.kind}\n".encode(), lines]
        return b"".join(parts)


def _joined(parts: Sequence[pa.Array | str]) -> pa.Array:
    """Row by row; a plain string stands in each row."""
    text = [part if isinstance(part, str) else part.cast(pa.large_string()) for part in parts]
    scalars = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in text]
    return pc.binary_join_element_wise(*scalars, pa.scalar("", pa.large_string()))


def _text(column: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    return column if isinstance(column, pa.Array) else pa.array(column, pa.string())


def _escaped(values: pa.Array) -> pa.Array:
    for plain, safe in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        values = pc.replace_substring(values, plain, safe)
    return values


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _bytes(lines: pa.Array) -> bytes:
    """The rows one after another: an Arrow string column holds them so already."""
    if len(lines) == 0:
        return b""
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(data)[int(ends[0]) : int(ends[-1])])
