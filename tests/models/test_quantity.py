"""Kubernetes quantities."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quantity import LARGEST, QuantityError, cpu_text, memory_text, milli, parse_quantity, whole

READ = [
    ("0", 0),
    ("1", 1),
    ("250m", Decimal("0.25")),
    ("1.5Gi", 3 * 2**29),
    ("1G", 10**9),
    ("1Ki", 1024),
    (".5", Decimal("0.5")),
    ("2.", 2),
    ("+1", 1),
    ("-1", -1),
    ("1e3", 1000),
    ("1E3", 1000),
    ("1E", 10**18),
    ("12e-3", Decimal("0.012")),
    ("100n", Decimal("1e-7")),
    ("1u", Decimal("1e-6")),
    ("0.1n", Decimal("1e-9")),
    ("-0.1n", Decimal("-1e-9")),
    ("1e-999999999999", Decimal("1e-9")),
    ("0e999999999999", 0),
    ("1e999999999999", LARGEST),
    ("9223372036854775808", LARGEST),
    ("8Ei", LARGEST),
    (2, 2),
    (0.5, Decimal("0.5")),
    (1e-7, Decimal("1e-7")),
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_a_quantity_is_what_the_api_server_takes_it_for(text: object, value: object) -> None:
    """Exact; finer than a billionth away from zero; cut at 2^63-1."""
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1KI", "1ki", "1Gi3", "m", "--1", "1e", "1.2.3", "0x1", "nan", "Infinity", "1_000", "１", "1\n",
             None, True, [], {}, "1" * 129, float("nan"), float("inf"), b"1"]
)  # fmt: skip
def test_what_is_no_quantity_names_field_value_and_mend(text: object) -> None:
    """Nothing that Python's own number syntax allows besides slips through."""
    with pytest.raises(QuantityError, match=r"^requests\.cpu = ") as error:
        parse_quantity(text, "requests.cpu")
    assert (error.value.field, error.value.value) == ("requests.cpu", text) or text != text
    assert "a quantity is" in error.value.mend


def test_counts_are_rounded_up() -> None:
    """As MilliValue and Value: 1.0001 cores are 1001 millicores, half a byte is one."""
    assert [milli(Decimal(text)) for text in ("1", "1.0001", "0.0000001", "0")] == [1000, 1001, 1, 0]
    assert [whole(Decimal(text)) for text in ("0.5", "7", "1000.1")] == [1, 7, 1001]


@pytest.mark.parametrize(
    ("cores", "text"), [(0.25, "250m"), (2, "2"), (0.1, "100m"), (0.2510001, "252m"), (1e-9, "1m"), (0, "0")]
)
def test_cores_are_written_in_whole_millicores(cores: float, text: str) -> None:
    """Rounded up, but a tenth is 100m though no float is a tenth."""
    assert cpu_text(cores) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(2**31, "2Gi"), (1536 * 2**20, "1536Mi"), (1000, "1000"), (0, "0"), (1023.2, "1Ki"), (2**60, "1Ei")],
)
def test_bytes_are_written_with_the_largest_exact_suffix(size: float, text: str) -> None:
    """Nothing is rounded away: 1,000 bytes stay 1000."""
    assert memory_text(size) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_written(value: float) -> None:
    """A missing value has to be dealt with before."""
    for write in (cpu_text, memory_text):
        with pytest.raises(ValueError, match="must be finite"):
            write(value)


@given(st.integers(0, 2**62))
def test_bytes_are_read_back(size: int) -> None:
    """Written and read, the same number of bytes."""
    assert parse_quantity(memory_text(Decimal(size))) == size


@given(st.floats(0, 1e6))
def test_cores_are_read_back_less_than_a_millicore_above(cores: float) -> None:
    """Never less than was asked for."""
    exact = Fraction(repr(cores))
    assert exact <= Fraction(parse_quantity(cpu_text(cores))) < exact + Fraction(1, 1000)


@given(
    st.from_regex(
        r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[+-]?[0-9]{1,4})?", fullmatch=True
    )
)
def test_every_quantity_is_read_to_a_billionth(text: str) -> None:
    """Against exact fractions: not below in size, and less than a billionth above, unless it was cut."""
    value = parse_quantity(text)
    exact = abs(exactly(text))
    if exact > int(LARGEST):
        assert abs(value) == LARGEST
    else:
        assert exact <= abs(Fraction(value)) < exact + Fraction(1, 10**9)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other error, whatever is sent."""
    try:
        assert parse_quantity(text).is_finite()
    except QuantityError:
        assert text == "" or not text.isascii() or not text.isdigit()


def exactly(text: str) -> Fraction:
    """The same grammar by fractions."""
    suffixes = {f"{letter}i": Fraction(1024) ** (n + 1) for n, letter in enumerate("KMGTPE")}
    suffixes |= {letter: Fraction(1000) ** (n - 3) for n, letter in enumerate("num_kMGTPE") if letter != "_"}
    for suffix, scale in suffixes.items():
        if text.endswith(suffix):
            return Fraction(text.removesuffix(suffix).removesuffix(".")) * scale
    number, _, power = text.partition("e")
    return Fraction(number.removesuffix(".")) * Fraction(10) ** int(power or 0)
