"""MIG tables: the three geometries, and names, usable memory and SM counts per board.

A cell that no source verifies is None. Memory is GiB as `nvidia-smi mig -lgip` prints it; where drivers differ
(B200, GB200, RTX PRO 6000) the smaller number stands, because a slice that is too small kills.
SM shares are not g/7: on H100 SXM 3g has 60 of 132 SMs, 4g has 64; on A100 7g exposes 98 of 108.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.hardware.geometry import MigGpu, MigProfile

GIB = 2**30


@dataclass(frozen=True, slots=True)
class _Size:
    key: str
    compute_slices: int
    memory_slices: int
    max_instances: int
    starts: tuple[int, ...]
    nvml_profile_id: int | None


_EVERY, _PAIRS, _THIRDS = (0, 1, 2, 3, 4, 5, 6), (0, 2, 4, 6), (0, 3, 6, 9)

G7: tuple[_Size, ...] = (
    _Size("1g", 1, 1, 7, _EVERY, 19),
    _Size("1g+me", 1, 1, 1, _EVERY, 20),
    _Size("1gx2m", 1, 2, 4, _PAIRS, 15),
    _Size("2g", 2, 2, 3, (0, 2, 4), 14),
    _Size("3g", 3, 4, 2, (0, 4), 9),
    _Size("4g", 4, 4, 1, (0,), 5),
    _Size("7g", 7, 8, 1, (0,), 0),
)
G4: tuple[_Size, ...] = (
    _Size("1g", 1, 1, 4, (0, 1, 2, 3), 14),
    _Size("1g+me", 1, 1, 1, (0, 1, 2, 3), 21),
    _Size("2g", 2, 2, 2, (0, 2), 5),
    _Size("2g+me", 2, 2, 1, (0, 2), None),
    _Size("4g", 4, 4, 1, (0,), 0),
)
R12: tuple[_Size, ...] = (
    _Size("1g", 1, 3, 4, _THIRDS, 14),
    _Size("1g+gfx", 1, 3, 4, _THIRDS, 47),
    _Size("1g-me", 1, 3, 4, _THIRDS, 67),
    _Size("1g+me", 1, 3, 1, _THIRDS, 21),
    _Size("1g+me.all", 1, 3, 1, _THIRDS, 65),
    _Size("2g", 2, 6, 2, (0, 6), 5),
    _Size("2g+gfx", 2, 6, 2, (0, 6), 35),
    _Size("2g-me", 2, 6, 2, (0, 6), 66),
    _Size("2g+me.all", 2, 6, 1, (0, 6), 64),
    _Size("4g", 4, 12, 1, (0,), 0),
    _Size("4g+gfx", 4, 12, 1, (0,), 32),
)
_SLICES = {"G7": (7, 8, G7), "G4": (4, 4, G4), "R12": (4, 12, R12)}

_Cells = tuple[float | None, ...]
_H100_SMS: _Cells = (16, 26, 32, 60, 64, 132)
_A100_SMS: _Cells = (14, 14, 28, 42, 56, 98)
_UNKNOWN: _Cells = (None,) * 6


@dataclass(frozen=True, slots=True)
class _Board:
    """One row: names of the plain sizes in the order of the geometry, memory in GiB and SMs in the same order."""

    geometry: str
    names: tuple[str, ...]
    memory_gib: _Cells
    multiprocessors: _Cells


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_BOARDS: dict[str, _Board] = {
    "A30-24": _Board("G4", _names("1g.6gb 2g.12gb 4g.24gb"), (5.70, 11.40, 22.80), (14, 28, 56)),
    "A100-40": _Board(
        "G7",
        _names("1g.5gb 1g.10gb 2g.10gb 3g.20gb 4g.20gb 7g.40gb"),
        (4.75, 9.62, 9.62, 19.50, 19.50, 39.25),
        _A100_SMS,
    ),
    "A100-80": _Board(
        "G7",
        _names("1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb"),
        (9.50, 19.50, 19.50, 39.25, 39.25, 79.00),
        _A100_SMS,
    ),
    "H100-80": _Board(
        "G7",
        _names("1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb"),
        (9.75, 19.62, 19.62, 39.50, 39.50, 79.25),
        _H100_SMS,
    ),
    "H100-80-PCIe": _Board(
        "G7",
        _names("1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb"),
        (9.75, 19.62, 19.62, 39.50, 39.50, 79.25),
        (14, 14, 30, 46, 62, 114),
    ),
    "H100-94": _Board(
        "G7",
        _names("1g.12gb 1g.24gb 2g.24gb 3g.47gb 4g.47gb 7g.94gb"),
        (10.75, 21.62, 21.62, 46.38, 46.38, 93.12),
        (16, 26, 32, None, None, 132),
    ),
    "H100-96": _Board("G7", _names("1g.12gb 1g.24gb 2g.24gb 3g.48gb 4g.48gb 7g.96gb"), _UNKNOWN, _UNKNOWN),
    "GH200-144": _Board(
        "G7",
        _names("1g.18gb 1g.36gb 2g.36gb 3g.72gb 4g.72gb 7g.144gb"),
        (17.50, 35.25, 35.25, None, None, None),
        (16, 26, 32, None, None, None),
    ),
    "H200-141": _Board(
        "G7",
        _names("1g.18gb 1g.35gb 2g.35gb 3g.71gb 4g.71gb 7g.141gb"),
        (16.00, 32.25, 32.25, 69.50, 69.50, 140.00),
        _H100_SMS,
    ),
    "B200-180": _Board(
        "G7",
        _names("1g.23gb 1g.45gb 2g.45gb 3g.90gb 4g.90gb 7g.180gb"),
        (20.50, 44.25, 44.25, None, None, None),
        (18, 30, 36, None, None, None),
    ),
    "GB200-186": _Board(
        "G7",
        _names("1g.23gb 1g.47gb 2g.47gb 3g.93gb 4g.93gb 7g.186gb"),
        (20.00, 45.50, 45.50, None, None, None),
        (18, 32, 38, None, None, None),
    ),
    "B300-269": _Board("G7", _names("1g.34gb 1g.67gb 2g.67gb 3g.135gb 4g.135gb 7g.269gb"), _UNKNOWN, _UNKNOWN),
    "GB300-278": _Board("G7", _names("1g.35gb 1g.70gb 2g.70gb 3g.139gb 4g.139gb 7g.278gb"), _UNKNOWN, _UNKNOWN),
    "RTX-PRO-6000-96": _Board("R12", _names("1g.24gb 2g.48gb 4g.96gb"), (23.12, 46.50, 93.38), (46, 94, 188)),
}


def _build(board: _Board) -> MigGpu:
    compute, memory, sizes = _SLICES[board.geometry]
    plain = [size.key for size in sizes if "+" not in size.key and "-" not in size.key]
    return MigGpu(compute, memory, tuple(_profile(size, board, plain.index(_plain(size.key))) for size in sizes))


def _plain(key: str) -> str:
    return key.partition("+")[0].partition("-")[0]


def _profile(size: _Size, board: _Board, row: int) -> MigProfile:
    memory, multiprocessors = board.memory_gib[row], board.multiprocessors[row]
    return MigProfile(
        key=size.key,
        name=board.names[row] + size.key.removeprefix(_plain(size.key)),
        compute_slices=size.compute_slices,
        memory_slices=size.memory_slices,
        starts=size.starts,
        max_instances=size.max_instances,
        memory_bytes=None if memory is None else int(memory * GIB),
        multiprocessors=None if multiprocessors is None else int(multiprocessors),
        nvml_profile_id=size.nvml_profile_id,
    )


MIG_GPUS: dict[str, MigGpu] = {name: _build(board) for name, board in _BOARDS.items()}
"""Board name, as in `GpuModel.mig_board`: what it can be cut into."""
