"""Amounts reach the wire with the digits that were given."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from client import BadInput
from client.money import MINOR_UNITS, amount_token


@pytest.mark.parametrize(
    ("amount", "currency", "token"),
    [
        (9.99, "USD", "9.99"),
        (0.1, "USD", "0.1"),
        (10.0, "USD", "10.0"),
        (1e16, "USD", "10000000000000000"),
        ("9.90", "USD", "9.90"),
        ("007.5", "USD", "7.5"),
        ("1e2", "USD", "100"),
        ("999e-2", "USD", "9.99"),
        (Decimal("9.990").quantize(Decimal("0.01")), "USD", "9.99"),
        (Decimal("1E+2"), "USD", "100"),
        (Decimal("1E-2"), "USD", "0.01"),
        (Decimal("12345678901234567890.12"), "USD", "12345678901234567890.12"),
        (10, "USD", "10"),
        (500, "JPY", "500"),
        (500.0, "JPY", "500"),
        ("1.234", "KWD", "1.234"),
        ("1.2345", "CLF", "1.2345"),
        (10**27, "USD", "1" + "0" * 27),
    ],
)
def test_an_amount_is_written_exactly(amount: Any, currency: str, token: str) -> None:
    written = amount_token(amount, currency)
    assert written == token
    assert json.loads(written, parse_int=Decimal, parse_float=Decimal) == Decimal(token)


@pytest.mark.parametrize(
    "amount",
    [
        0,
        -1,
        0.0,
        "0.00",
        -0.01,
        True,
        None,
        b"9.99",
        [9.99],
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-1"),
        "",
        "abc",
        "NaN",
        "1_000",
        " 9.99",
        "9.99\n",
        "+9.99",
        "-9.99",
        "9,99",
        "9.",
        ".5",
        "0x10",
        "\u0669.\u0669\u0669",
        "9.999",
        9.999,
        0.1 + 0.2,
        "9.990",
        Decimal("9.990"),
        10**28,
        pytest.param(10**5000, id="5001 digits"),
        "1e999",
        Decimal("1E+1000000"),
        "9" * 30,
    ],
)
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(BadInput) as refused:
        amount_token(amount, "USD")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(("amount", "currency"), [("1.0", "JPY"), (1.5, "JPY"), ("1.2345", "KWD")])
def test_a_currency_bounds_the_decimals(amount: Any, currency: str) -> None:
    with pytest.raises(BadInput, match=currency):
        amount_token(amount, currency)


@pytest.mark.parametrize("currency", ["usd", "US", "", "XXX", "XAU", "USD ", 840, None])
def test_an_unknown_currency_is_refused(currency: Any) -> None:
    with pytest.raises(BadInput, match="ISO 4217"):
        amount_token("1", currency)


def test_the_table_has_the_currencies_of_iso_4217() -> None:
    assert {c for c, d in MINOR_UNITS.items() if d == 0} >= {"JPY", "KRW", "CLP", "XOF", "ISK"}
    assert {c for c, d in MINOR_UNITS.items() if d == 3} == set("BHD IQD JOD KWD LYD OMR TND".split())
    assert {c for c, d in MINOR_UNITS.items() if d == 4} == {"CLF", "UYW"}
    assert all(MINOR_UNITS[code] == 2 for code in ("USD", "EUR", "GBP", "CHF", "INR", "CNY"))
    assert all(len(code) == 3 and code.isupper() for code in MINOR_UNITS)
