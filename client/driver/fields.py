"""One command: its id, and its fields, checked as they are read."""

from __future__ import annotations

import base64
import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from .. import wire
from ..errors import BadInput
from ..subjects import excerpt

_REQUIRED: Any = object()


class Fields:
    """The fields of one command, checked as they are read; raises BadInput."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def get(self, name: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self._fields.get(name)
        if value is None:
            if default is _REQUIRED:
                raise BadInput(f"the command has no {name}")
            return default
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadInput(f"{name} is not of type {kind.__name__}: {excerpt(value)}")
        return value

    def seconds(self) -> float:
        """The field `timeout_ms`, above 0."""
        timeout_ms = self.get("timeout_ms", int)
        if not 0 < timeout_ms < 1 << 64:
            raise BadInput(f"timeout_ms is not above 0: {excerpt(timeout_ms)}")
        return float(timeout_ms) / 1000

    def message(self) -> wire.Outgoing:
        try:
            payload = base64.b64decode(self.get("payload_base64", str), validate=True)
        except ValueError as error:
            raise BadInput(f"payload_base64: {error}") from None
        headers = self.get("headers", dict, {})
        for values in headers.values():
            if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
                raise BadInput(f"headers are lists of strings by name, not {excerpt(headers)}")
        return wire.Outgoing(self.get("subject", str), payload, headers)


def parse(line: bytes) -> tuple[int, Fields]:
    """A command's id and fields; raises ValueError where there is no id to answer to."""
    try:
        # As text: json itself takes a byte order mark, and UTF-16, off bytes.
        command = json.loads(line.decode(), parse_float=_decimal, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(command, dict):
        raise ValueError("not a JSON object")
    command_id = command.get("id")
    if not isinstance(command_id, int) or isinstance(command_id, bool) or command_id < 0:
        raise ValueError("no id")
    return command_id, Fields(command)


def _decimal(token: str) -> Decimal:
    try:
        return Decimal(token)
    except InvalidOperation:  # an exponent that Python has no Decimal for: infinite, or 0
        return Decimal(float(token))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def without_decimals(value: Any) -> Any:
    """The same, with floats for the decimals that `parse` reads."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [without_decimals(item) for item in value]
    if isinstance(value, dict):
        return {name: without_decimals(item) for name, item in value.items()}
    return value
