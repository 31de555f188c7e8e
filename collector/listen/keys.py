"""Bytes under which series are known, so that a series seen before costs one look-up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from collector.listen.series import TOO_MANY

MAX_BYTES = 256 << 20
"""Of one cache. Over it everything is looked up anew once, at 20 us a series."""
_OVERHEAD = 120  # the object, the dict's slot and the number


class KeyCache:
    """Wire bytes of labels to the number of their series; a negative number says why there is none. That there was no
    room is not remembered, as there may be some the next time."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._known: dict[bytes, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, keys: Iterable[bytes]) -> list[int | None]:
        return list(map(self._known.get, keys))

    def add(self, key: bytes, number: int) -> None:
        if number == TOO_MANY:
            return
        if self._bytes > self._max_bytes:
            self.clear()
        self._bytes += len(key) + _OVERHEAD
        self._known[key] = number

    def forget(self, numbers: Set[int]) -> None:
        """Forget the keys of these series."""
        gone = [key for key, number in self._known.items() if number in numbers]
        for key in gone:
            self._bytes -= len(key) + _OVERHEAD
            del self._known[key]

    def clear(self) -> None:
        self._known.clear()
        self._bytes = 0


class SymbolTable:
    """The texts of 2.0 bodies, numbered once for all bodies: each body numbers them anew in its own order."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        self._bytes = 0

    def numbers(self, texts: Sequence[str]) -> list[int]:
        get = self._numbers.get
        found = [get(text) for text in texts]
        return [self._add(text) if number is None else number for text, number in zip(texts, found, strict=True)]

    def texts(self, numbers: Iterable[int]) -> list[str]:
        return [self._texts[number] for number in numbers]

    def full(self) -> bool:
        return self._bytes > self._max_bytes

    def clear(self) -> None:
        """Every number is free again: whoever keeps numbers must forget them too."""
        self._numbers.clear()
        self._texts.clear()
        self._bytes = 0

    def _add(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
            self._bytes += len(text) + _OVERHEAD
        return number
