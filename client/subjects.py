"""The subjects of the contract, and the checks on what becomes part of one."""

from __future__ import annotations

import re
import unicodedata

from .errors import BadInput

#: Request-reply.
MATH_CALCULATE = "services.math.calculate"
#: Queue group, fire-and-forget.
EMAIL_SEND = "services.notification.email-send"
#: JetStream, stored by the stream PAYMENT_REQUESTS.
PAYMENT_PROCESS = "services.payment.payment-process"
PAYMENT_REQUESTS = "payment-requests"
#: Request-reply.
PAYMENT_STATUS = "services.payment.status"

_EVENT_PREFIX = "payments.events"
_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_BYTES = 1024


def check_payment_id(payment_id: object) -> str:
    """Returns `payment_id` where it is 1 to 64 of A-Z a-z 0-9 _ -, else raises BadInput."""
    if isinstance(payment_id, str) and _PAYMENT_ID.fullmatch(payment_id):
        return payment_id
    raise BadInput(f"payment_id {excerpt(payment_id)} is not 1 to 64 characters of A-Z a-z 0-9 _ -")


def payment_events(payment_id: str) -> str:
    """Where the broker tells of what is recorded for one payment."""
    return f"{_EVENT_PREFIX}.{check_payment_id(payment_id)}"


def check_publish_subject(subject: str) -> str:
    """Returns `subject` where one can publish to it, else raises BadInput.

    The broker itself stores messages under subjects with wildcards, and breaks the connection over
    one that is too long.
    """
    tokens = _tokens(subject)
    if "*" in tokens or ">" in tokens:
        raise BadInput(f"subject {excerpt(subject)} has a wildcard: one publishes to a literal one")
    return subject


def check_subscribe_subject(subject: str) -> str:
    """Returns `subject` where one can subscribe to it, else raises BadInput; it may have wildcards."""
    if ">" in _tokens(subject)[:-1]:
        raise BadInput(f"subject {excerpt(subject)} has a > before its end")
    return subject


def check_queue_group(group: str) -> str:
    """Returns `group` where a queue group can have that name, else raises BadInput."""
    return _check_word("queue group", group)


def _tokens(subject: str) -> list[str]:
    tokens = _check_word("subject", subject).split(".")
    if "" in tokens:
        raise BadInput(f"subject {excerpt(subject)} has an empty token")
    return tokens


def _check_word(what: str, text: str) -> str:
    """Returns `text` where it is one word of a protocol line: behind a blank, another would begin."""
    if not text:
        raise BadInput(f"a {what} must not be empty")
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise BadInput(f"{what} {excerpt(text)} is not valid Unicode") from None
    if size_bytes > _MAX_BYTES:
        raise BadInput(f"{what} {excerpt(text)} is longer than {_MAX_BYTES} bytes")
    if any(c.isspace() or unicodedata.category(c) == "Cc" for c in text):
        raise BadInput(f"{what} {excerpt(text)} has white space or a control character")
    return text


def excerpt(value: object) -> str:
    """A bounded, printable piece of what came in, for an error message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
