"""JSON bodies: what is sent is strict JSON; what comes back is checked before it is believed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import InvalidOperation
from typing import Any, NoReturn, Union

from .errors import BadInput, BadReply
from .subjects import excerpt

#: What the math service takes and gives. An int stays an int.
Number = Union[int, float]


# Levels of arrays and objects; the services read no more either.
_MAX_DEPTH = 127


class Token(str):
    """A piece of JSON that is written as it stands, as the digits of an exact amount."""


def encode(fields: Mapping[str, object]) -> bytes:
    """The fields as one JSON object, in the order given; those that are None are left out.

    Raises BadInput for what JSON or UTF-8 cannot carry.
    """
    parts = []
    for name, value in fields.items():
        if value is None:
            continue
        try:
            token = value if isinstance(value, Token) else _dumps(value)
            parts.append(f"{_dumps(name)}:{token}".encode())
        except ValueError as error:  # also UnicodeEncodeError, and an int of too many digits
            raise BadInput(f"{name} cannot be sent as JSON: {error}") from None
    return b"{" + b",".join(parts) + b"}"


def decode(data: bytes, *, parse_float: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """The JSON object in `data`, as strict as the services are; raises BadReply for anything else.

    json.loads by itself also takes a byte order mark, UTF-16, half a surrogate pair, NaN, numbers
    that become infinite, and any depth.
    """
    try:
        value = json.loads(
            data.decode(),
            parse_float=_in_range(parse_float) if parse_float else _finite,
            parse_int=_int,
            parse_constant=_no_constant,
        )
        _check_text_and_depth(value)
    except ValueError as error:
        raise BadReply(f"the reply is not JSON ({error}): {excerpt(data)}") from None
    except RecursionError:
        raise BadReply(f"the reply is nested too deeply: {excerpt(data)}") from None
    if not isinstance(value, dict):
        raise BadReply(f"the reply is not a JSON object: {excerpt(data)}")
    return value


def check_number(name: str, value: object) -> Number:
    """Returns `value` where it is a finite int or float, else raises BadInput."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadInput(f"{name} must be an int or a float, not a {type(value).__name__}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadInput(f"{name} must be finite, not {value}")
        return float(value)
    return int(value)


def check_text(name: str, value: object) -> str:
    """Returns `value` where it is a str, else raises BadInput."""
    if isinstance(value, str):
        return value
    raise BadInput(f"{name} must be a str, not a {type(value).__name__}")


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(token: str) -> float:
    number = float(token)
    if math.isinf(number):
        raise ValueError(f"{excerpt(token)} is out of range")
    return number


def _in_range(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Parses what a float could hold: services and other clients read no larger number."""

    def read(token: str) -> Any:
        _finite(token)
        try:
            return parse(token)
        except InvalidOperation:  # an exponent that Python has no Decimal for
            raise ValueError(f"{excerpt(token)} is out of range") from None

    return read


def _int(token: str) -> int:
    _finite(token)
    return int(token)


def _check_text_and_depth(value: object) -> None:
    """Raises ValueError for text that is not Unicode, or more levels than _MAX_DEPTH."""
    level: list[object] = [value]
    depth = 0
    while level:
        inner: list[object] = []
        for item in level:
            if isinstance(item, str):
                item.encode()  # half a surrogate pair is no character
            elif isinstance(item, (dict, list)):
                if depth == _MAX_DEPTH:
                    raise ValueError("nested too deeply")
                inner.extend(item)
                if isinstance(item, dict):
                    inner.extend(item.values())
        level = inner
        depth += 1
