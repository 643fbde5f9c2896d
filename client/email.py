"""`EmailClient`: emails through a queue group, fire-and-forget."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Union

from . import body, wire
from .errors import BadInput
from .subjects import EMAIL_SEND

if TYPE_CHECKING:
    from nats.aio.client import Client as NATS


class _Addressed(TypedDict):
    to: str
    subject: str


class Email(_Addressed, total=False):
    """One email as `send_bulk_emails` takes it; `body` may be left out."""

    body: str


#: An email as a dict, or as (to, subject) or (to, subject, body).
EmailLike = Union[Email, Mapping[str, str], Sequence[str]]


class EmailClient:
    """Publishes to `services.notification.email-send`; each email reaches one worker.

    Core NATS keeps nothing: with no worker running, an email is gone. `confirm=True` tells.
    """

    def __init__(self, nc: NATS) -> None:
        self._nc = nc

    async def send_email(
        self,
        to: str,
        subject: str,
        body: str = "",
        *,
        confirm: bool = False,
        timeout: float = wire.DEFAULT_TIMEOUT,
    ) -> None:
        """Queues one email; returns once the broker has it or, with `confirm`, a worker has.

        `timeout` is in seconds. Raises BadInput (nothing was sent), ConnectionFailed,
        RequestTimeout, PayloadTooLarge, PermissionDenied and, with `confirm`, NoResponders.
        """
        message = _message(to, subject, body)
        if confirm:
            await wire.request(self._nc, message, timeout=timeout)
        else:
            await wire.publish(self._nc, [message], timeout=timeout)

    async def send_bulk_emails(
        self, emails: Iterable[EmailLike], *, timeout: float = wire.DEFAULT_TIMEOUT
    ) -> int:
        """Queues all of them, and returns how many; the broker has them then.

        All are checked before the first is published: a BadInput, which says at which index, or a
        PayloadTooLarge means that none was. Other errors are `send_email`'s. `timeout` is in
        seconds, for all of them together.
        """
        messages = []
        for index, email in enumerate(emails):
            try:
                messages.append(_message(*_parts(email)))
            except BadInput as error:
                raise BadInput(f"emails[{index}]: {error}") from None
        if messages:
            await wire.publish(self._nc, messages, timeout=timeout)
        return len(messages)


def _parts(email: object) -> tuple[object, object, object]:
    if isinstance(email, Mapping):
        return email.get("to"), email.get("subject"), email.get("body", "")
    if isinstance(email, Sequence) and not isinstance(email, (str, bytes)):
        if len(email) == 2:
            return email[0], email[1], ""
        if len(email) == 3:
            return email[0], email[1], email[2]
    raise BadInput("an email is a dict, or a tuple (to, subject) or (to, subject, body)")


def _message(to: object, subject: object, text: object) -> wire.Outgoing:
    fields = {
        "to": body.check_text("to", to),
        "subject": body.check_text("subject", subject),
        "body": body.check_text("body", text),
    }
    for name in ("to", "subject"):
        if not fields[name].strip():
            raise BadInput(f"{name} must not be empty")
        if any(unicodedata.category(c) == "Cc" for c in fields[name]):
            raise BadInput(f"{name} must not have control characters or line breaks")
    return wire.Outgoing(EMAIL_SEND, body.encode({**fields, "body": fields["body"] or None}))
