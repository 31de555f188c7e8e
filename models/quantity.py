"""Kubernetes quantities: `250m`, `1.5Gi`, `3e3`. Read exactly, written as people write them.

Source of the grammar and of the rounding: k8s.io/apimachinery `resource.Quantity`. A number with one optional suffix,
which is decimal (n u m k M G T P E), binary (Ki Mi Gi Ti Pi Ei) or an exponent (e3, E-2). What is finer than a billionth
is rounded away from zero, and what is over 2^63-1 is cut to that, as the API server does.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_UP, Context, Decimal

LARGEST = Decimal(2**63 - 1)
_LONGEST_TEXT = 128
"""Characters that are read at all: 19 digits carry the largest value, and a pod's author may send a megabyte."""
_FARTHEST = 2 * _LONGEST_TEXT
"""Exponents beyond this put any text of that length over the largest value, or under a billionth."""
_NANO, _MILLI, _ONE = Decimal("1e-9"), Decimal("1e-3"), Decimal(1)
_EXACT = Context(prec=3 * _LONGEST_TEXT + _FARTHEST, rounding=ROUND_UP)
_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?", re.ASCII)
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_SCALES = {
    **{suffix: Decimal(1024 ** (n + 1)) for n, suffix in enumerate(_BINARY)},
    **{
        suffix: Decimal(1).scaleb(3 * (n - 3))
        for n, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"))
    },
}


class QuantityError(ValueError):
    """A quantity that cannot be read. `field`, `value` and `mend` are told apart for answers that name them."""

    def __init__(self, field: str, value: object, mend: str) -> None:
        super().__init__(f"{field} = {value!r:.200}: {mend}")
        self.field, self.value, self.mend = field, value, mend


def parse_quantity(value: object, field: str = "quantity") -> Decimal:
    """The exact value, in what the resource counts: cores, bytes, devices. A JSON number is read as its digits.

    Raises QuantityError for anything else.
    """
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise QuantityError(field, value, f"a quantity is a text of at most {_LONGEST_TEXT} characters, such as '250m'")
    if (match := _FORM.fullmatch(text)) is None:
        raise QuantityError(field, value, "a quantity is a number with one suffix, such as '250m', '1.5' or '2Gi'")
    sign, digits, suffix, exponent = match.groups()
    size = _scaled(Decimal(digits), suffix or "", exponent)
    return -size if sign == "-" else size


def milli(quantity: Decimal) -> int:
    """Thousandths, rounded up: millicores of a CPU quantity."""
    return int(_EXACT.divide(quantity, _MILLI).to_integral_value(ROUND_CEILING))


def whole(quantity: Decimal) -> int:
    """Whole units, rounded up: bytes of a memory quantity, devices of an extended resource."""
    return int(quantity.to_integral_value(ROUND_CEILING))


def cpu_text(cores: float | Decimal) -> str:
    """Cores rounded up to whole millicores: `250m`, `2`. Raises ValueError for a value that is not finite."""
    count = milli(_finite(cores))
    return str(count // 1000) if count % 1000 == 0 else f"{count}m"


def memory_text(size_bytes: float | Decimal) -> str:
    """Bytes rounded up to whole ones, with the largest binary suffix that keeps them exact: `2Gi`, `1536Mi`, `1000`."""
    count, suffix = whole(_finite(size_bytes)), ""
    for larger in _BINARY:
        if count == 0 or count % 1024:
            break
        count, suffix = count // 1024, larger
    return f"{count}{suffix}"


def _finite(value: float | Decimal) -> Decimal:
    """A fraction by its shortest digits: 0.1 is a tenth, not the 0.1000000000000000055 that would round up to 101m."""
    whole_number = isinstance(value, int | Decimal) or value.is_integer()
    exact = Decimal(value) if whole_number else Decimal(repr(float(value)))
    if not exact.is_finite():
        raise ValueError(f"{value!r} is no quantity: it must be finite")
    return exact


def _scaled(number: Decimal, suffix: str, exponent: str | None) -> Decimal:
    """Cut and rounded. A hostile exponent is never carried out: 10^999999999 would fill the memory."""
    if exponent is None:
        size = _EXACT.multiply(number, _SCALES[suffix])
    elif abs(power := int(exponent)) <= _FARTHEST:
        size = number.scaleb(power, _EXACT)
    else:
        size = Decimal(0) if not number else (LARGEST if power > 0 else _NANO)
    return LARGEST if size > LARGEST else size.quantize(_NANO, context=_EXACT).normalize(_EXACT) + 0
