"""What is answered: a failure, or a message as it came, in terms that all languages share."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal

from nats.aio.msg import Msg

from .. import wire
from ..errors import (
    BadInput,
    ClientError,
    ConnectionFailed,
    DomainError,
    NoResponders,
    NoStream,
    PayloadTooLarge,
    PermissionDenied,
    RequestTimeout,
    ServiceError,
)
from ..headers import check

# In this order: the first class that fits names the kind.
KINDS: tuple[tuple[type[ClientError], str], ...] = (
    (DomainError, "domain"),
    (PayloadTooLarge, "max_payload"),
    (BadInput, "bad_input"),
    (NoResponders, "no_responders"),
    (RequestTimeout, "timeout"),
    (ServiceError, "service_error"),
    (NoStream, "no_stream"),
    (PermissionDenied, "permissions"),
    (ConnectionFailed, "connection"),
)


#: Exponents of decimals that are written out, with all their zeros.
_WRITTEN_OUT = range(-1000, 1000)


def described(error: ClientError) -> dict[str, object]:
    """A failure in terms that all languages share."""
    kind = next((kind for cls, kind in KINDS if isinstance(error, cls)), "other")
    err: dict[str, object] = {"kind": kind, "definite": error.definite, "message": str(error)}
    if isinstance(error, ServiceError):
        err.update(message=error.message, code=error.code)
    return err


def shown(message: Msg) -> dict[str, object]:
    """A message as it came; raises BadReply where its headers or subjects cannot be read."""
    return {
        "subject": message.subject,
        "headers": check(message).values_of,
        "payload_base64": base64.b64encode(message.data).decode(),
    }


def to_json(value: object) -> str:
    """One line of JSON, in which a Decimal keeps its digits."""
    if isinstance(value, wire.Ack):
        value = asdict(value)
    if isinstance(value, Decimal):
        _, _, exponent = value.as_tuple()
        # An exponent may be of any size: what it stands for is not written out.
        return format(value, "f") if exponent in _WRITTEN_OUT else str(value)
    if isinstance(value, Mapping):
        return "{%s}" % ",".join(f"{json.dumps(k)}:{to_json(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(to_json, value))
    return json.dumps(value, allow_nan=False)
