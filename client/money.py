"""Exact amounts: from what a caller gives to the digits on the wire, never by a binary float."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Union

from .errors import BadInput

#: What an amount may be given as. A float counts by its shortest form: 9.99 is 9.99.
Amount = Union[Decimal, int, str, float]

#: Digits before the point; more are refused, by the service too.
MAX_WHOLE_DIGITS = 15

# The grammar of JSON's numbers (RFC 8259, section 6).
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?0*([0-9]+))?")
# Digits of an exponent; with more of them no amount is within bounds.
_MAX_EXPONENT_DIGITS = 6

_TWO_DECIMALS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
# Not legal tender any more, but the service still takes them.
_SUPERSEDED = "BGN CUC HRK SLL ZWL"
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

#: ISO 4217: how many decimals each currency has. Codes without minor units (gold, tests) are out.
MINOR_UNITS: dict[str, int] = {
    code: decimals
    for decimals, codes in (
        (0, _NO_DECIMALS),
        (2, _TWO_DECIMALS),
        (2, _SUPERSEDED),
        (3, _THREE_DECIMALS),
        (4, _FOUR_DECIMALS),
    )
    for code in codes.split()
}

#: What a payment without a currency is in.
DEFAULT_CURRENCY = "USD"


def decimals_of(currency: str) -> int:
    """How many decimals `currency` has: USD 2, JPY 0, KWD 3.

    Raises BadInput for anything but a known ISO 4217 code in capitals.
    """
    decimals = MINOR_UNITS.get(currency) if isinstance(currency, str) else None
    if decimals is None:
        raise BadInput(f"currency {_shown(currency)} is not a known ISO 4217 code, as USD")
    return decimals


def amount_token(amount: Amount, currency: str = DEFAULT_CURRENCY) -> str:
    """The JSON number for `amount`, with exactly the decimals that were given.

    >>> amount_token("9.90"), amount_token(9.99), amount_token(Decimal("1E+2"))
    ('9.90', '9.99', '100')

    Raises BadInput for what is not a number, not finite, not above zero, has more than 15 digits
    before the point, or more decimals than the currency; zeros at the end do not count.
    """
    decimals = decimals_of(currency)
    value = _exact(amount)
    if not value.is_finite():
        raise BadInput(f"amount {_shown(amount)} is not a finite number")
    if value <= 0:
        raise BadInput(f"amount {_shown(amount)} is not above zero")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # the other values stand for infinity and NaN
    if value.adjusted() >= MAX_WHOLE_DIGITS:
        raise BadInput(
            f"amount {_shown(amount)} has over {MAX_WHOLE_DIGITS} digits before the point"
        )
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    given_decimals = max(0, -(exponent + zeros))
    if given_decimals > decimals:
        noun = "decimal" if given_decimals == 1 else "decimals"
        raise BadInput(
            f"amount {_shown(amount)} has {given_decimals} {noun}, and {currency} has {decimals}"
        )
    return format(value, "f")


def _exact(amount: object) -> Decimal:
    if isinstance(amount, bool):
        raise BadInput(f"amount {amount} is a truth value, not a number")
    if isinstance(amount, Decimal):
        return amount
    if isinstance(amount, int):
        if abs(amount) >= 10**MAX_WHOLE_DIGITS:  # as text it could be slow, or refused
            raise BadInput(f"amount has over {MAX_WHOLE_DIGITS} digits before the point")
        return Decimal(amount)
    if isinstance(amount, float):
        return Decimal(repr(float(amount)))  # float(): numpy's floats have a repr of their own
    if isinstance(amount, str):
        match = _DECIMAL.fullmatch(amount)
        if not match:
            raise BadInput(f"amount {_shown(amount)} is not a decimal number, as 9.99")
        if len(match[1] or "") > _MAX_EXPONENT_DIGITS:
            raise BadInput(f"amount {_shown(amount)} is far out of range")
        return Decimal(amount)
    raise BadInput(f"amount is a {type(amount).__name__}, not a Decimal, int, str or float")


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
