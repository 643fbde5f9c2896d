"""A message to publish, checked before anything is sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import BadInput
from .subjects import check_publish_subject, excerpt

#: Values by name; a name may have several.
Headers = Mapping[str, Sequence[str]]

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PREAMBLE_BYTES = len(b"NATS/1.0\r\n\r\n")


@dataclass(frozen=True)
class Outgoing:
    """A message to publish, with its subject and headers checked."""

    subject: str
    payload: bytes = b""
    headers: Headers = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_publish_subject(self.subject)
        for name, values in self.headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise BadInput(f"header name {excerpt(name)} has a character it cannot have")
            for value in values:
                if any(unicodedata.category(c) == "Cc" for c in value):
                    raise BadInput(
                        f"the value of header {name} is not one line without control characters"
                    )
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise BadInput(f"the value of header {name} is not valid Unicode") from None

    def size_bytes(self) -> int:
        """What the server compares with its `max_payload`: headers and body together."""
        lines = [
            f"{name}: {value}\r\n" for name, values in self.headers.items() for value in values
        ]
        preamble = _PREAMBLE_BYTES if lines else 0
        return len(self.payload) + preamble + sum(len(line.encode()) for line in lines)

    def nats_headers(self) -> dict[str, str] | None:
        """The headers as nats-py takes them."""
        return _Pairs(self.headers) if any(self.headers.values()) else None


class _Pairs(dict[str, str]):
    """Headers as nats-py takes them, except that one name may come with several values."""

    def __init__(self, headers: Headers) -> None:
        super().__init__({name: ", ".join(values) for name, values in headers.items()})
        self._pairs = [(name, value) for name, values in headers.items() for value in values]

    def items(self) -> Any:
        return list(self._pairs)
