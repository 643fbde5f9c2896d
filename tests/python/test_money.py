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
        (1e14, "USD", "100000000000000.0"),
        (9.99e2, "USD", "999.0"),
        ("9.90", "USD", "9.90"),
        ("9.990", "USD", "9.990"),
        (Decimal("9.990"), "USD", "9.990"),
        ("1e2", "USD", "100"),
        ("1e0000002", "USD", "100"),
        ("1." + "0" * 100, "USD", "1." + "0" * 100),
        ("999e-2", "USD", "9.99"),
        (Decimal("1E+2"), "USD", "100"),
        (Decimal("1E-2"), "USD", "0.01"),
        (Decimal("123456789012345.67"), "USD", "123456789012345.67"),
        ("999999999999999.99", "USD", "999999999999999.99"),
        (10, "USD", "10"),
        (500, "JPY", "500"),
        (500.0, "JPY", "500.0"),
        (0.01, "USD", "0.01"),
        ("1.234", "KWD", "1.234"),
        ("1.2345", "CLF", "1.2345"),
        (10**15 - 1, "USD", "999999999999999"),
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
        "007.5",
        10**15,
        1e15,
        1e-5,
        pytest.param(10**5000, id="5001 digits"),
        "1e999",
        Decimal("1E+1000000"),
        Decimal("1E-1000000"),
        "9" * 16,
        "1." + "0" * 1000 + "1",
        "1e9999999",
    ],
)
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(BadInput) as refused:
        amount_token(amount, "USD")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(("amount", "currency"), [("1.5", "JPY"), (1.5, "JPY"), ("1.2345", "KWD")])
def test_a_currency_bounds_the_decimals(amount: Any, currency: str) -> None:
    with pytest.raises(BadInput, match=currency):
        amount_token(amount, currency)


@pytest.mark.parametrize("currency", ["usd", "US", "", "XXX", "XAU", "USD ", 840, None])
def test_an_unknown_currency_is_refused(currency: Any) -> None:
    with pytest.raises(BadInput, match="ISO 4217"):
        amount_token("1", currency)


def test_the_table_has_the_currencies_of_iso_4217() -> None:
    assert {c for c, d in MINOR_UNITS.items() if d == 0} >= {"JPY", "KRW", "CLP", "XOF", "ISK"}
    three = {c for c, d in MINOR_UNITS.items() if d == 3}
    assert three == {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
    assert {c for c, d in MINOR_UNITS.items() if d == 4} == {"CLF", "UYW"}
    assert all(MINOR_UNITS[code] == 2 for code in ("USD", "EUR", "GBP", "CHF", "INR", "CNY"))
    assert all(len(code) == 3 and code.isupper() for code in MINOR_UNITS)
