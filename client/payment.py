"""`PaymentClient`: payments through JetStream, charged once however often they are submitted."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from . import body, wire
from .errors import (
    BadInput,
    BadReply,
    ClientError,
    ConnectionFailed,
    NoResponders,
    RequestTimeout,
    ServiceError,
)
from .money import DEFAULT_CURRENCY, Amount, amount_token
from .subjects import (
    PAYMENT_PROCESS,
    PAYMENT_REQUESTS,
    PAYMENT_STATUS,
    check_payment_id,
    excerpt,
    payment_events,
)

if TYPE_CHECKING:
    from nats.aio.client import Client as NATS
    from nats.aio.msg import Msg

#: `completed` and `failed` are final: they never change.
Status = Literal["pending", "processing", "completed", "failed"]
FINAL: frozenset[str] = frozenset({"completed", "failed"})
_STATUSES = FINAL | {"pending", "processing"}

# The grammar of JSON's numbers (RFC 8259, section 6).
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

# The service refuses a longer user_id or subscription_id.
_MAX_FIELD_BYTES = 256

# An event is a core message and can be missed across a reconnect: ask at least this often (s).
_ASK_EVERY = 1.0
# Where nobody answered, there is no event to wait for (s).
_ASK_AGAIN = 0.1
# One answer that gets lost must not use up the whole wait (s).
_ASK_TIMEOUT = 2.0


class _Known(TypedDict):
    payment_id: str
    status: Status


class PaymentStatus(_Known, total=False):
    """What is known of a payment.

    `amount` is exact, and comes with `currency` once known. `content` is the SHA-256, in hex, of
    what was submitted: it tells which of two submissions with the same id counted.
    """

    message: str
    amount: Decimal
    currency: str
    content: str


class PaymentClient:
    """Submits to `services.payment.payment-process`, and asks `services.payment.status`.

    >>> payment = PaymentClient(nc)                                        # doctest: +SKIP
    >>> await payment.submit_payment("pay-001", "user-123", "sub-monthly", 9.99)
    Ack(stream='payment-requests', sequence=1, duplicate=False)
    >>> await payment.wait_for_status("pay-001")
    {'payment_id': 'pay-001', 'status': 'completed', ...}

    Every method takes `timeout`, in seconds, and raises BadInput, RequestTimeout,
    ConnectionFailed, PermissionDenied and what it says itself.
    """

    def __init__(self, nc: NATS) -> None:
        self._nc = nc

    async def submit_payment(
        self,
        payment_id: str,
        user_id: str | None = None,
        subscription_id: str | None = None,
        amount: Amount | None = None,
        currency: str | None = None,
        *,
        timeout: float = wire.DEFAULT_TIMEOUT,
    ) -> wire.Ack:
        """Hands a payment to JetStream; from the Ack on it is neither lost nor charged twice.

        `amount` is required: Decimal, int, str ("9.99") or float (its shortest form), above zero
        and with no more decimals than `currency` (ISO 4217; USD where it is None) has.
        After an error that is not `definite`, submit the same again: it is charged once.

        `duplicate` says that a message with this id came shortly before. Whose it was, nothing
        tells: anybody may put this id on another payment. So this one is then stored without the
        message id, which cannot charge it twice; `sequence` is that of the other one.
        Also raises NoStream, PublishRefused, BadReply and PayloadTooLarge.
        """
        if amount is None:
            raise BadInput("amount is required")
        fields = {
            "payment_id": check_payment_id(payment_id),
            "user_id": _optional("user_id", user_id),
            "subscription_id": _optional("subscription_id", subscription_id),
            "amount": body.Token(
                amount_token(amount, DEFAULT_CURRENCY if currency is None else currency)
            ),
            "currency": currency,
        }
        payload = body.encode(fields)
        deadline = wire.Deadline(timeout)
        # What another stream stores no worker takes.
        headers = {"Nats-Expected-Stream": [PAYMENT_REQUESTS]}
        message = wire.Outgoing(PAYMENT_PROCESS, payload, headers | {"Nats-Msg-Id": [payment_id]})
        ack = await wire.submit(self._nc, message, timeout=timeout)
        if ack.duplicate:
            left = max(deadline.left(), 0.001)
            again = wire.Outgoing(PAYMENT_PROCESS, payload, headers)
            await wire.submit(self._nc, again, timeout=left)
        return ack

    async def get_status(
        self, payment_id: str, *, timeout: float = wire.DEFAULT_TIMEOUT
    ) -> PaymentStatus:
        """What is known now: `{"payment_id": "pay-001", "status": "completed", ...}`.

        An id that was never seen, or is not yet processed, is `pending`.
        Also raises NoResponders, ServiceError and BadReply.
        """
        request = body.encode({"payment_id": check_payment_id(payment_id)})
        reply = await wire.ask(
            self._nc, PAYMENT_STATUS, request, timeout=timeout, parse_float=Decimal
        )
        status = reply.get("status")
        known = isinstance(status, str) and status in _STATUSES
        if reply.get("payment_id") != payment_id or not known:
            raise BadReply(f"not a status of payment {payment_id}: {reply}")
        for name in ("message", "amount", "currency", "content"):
            if reply.get(name) is None:
                reply.pop(name, None)  # null: not known yet
            elif name != "amount" and not isinstance(reply[name], str):
                raise BadReply(f"the status has a {name} that is no text: {reply[name]!r}")
        if "amount" in reply:
            reply["amount"] = _exact(reply["amount"])
        return cast(PaymentStatus, reply)

    async def wait_for_status(self, payment_id: str, *, timeout: float = 30.0) -> PaymentStatus:
        """The final status, `completed` or `failed`, as soon as there is one.

        Outlasts a restart of the service or the broker. Raises RequestTimeout, with the last
        status or error, where there is none in time; also BadReply and ServiceError (code 4xx).
        """
        subject = payment_events(payment_id)
        deadline = wire.Deadline(timeout)
        changed = asyncio.Event()

        async def on_event(_: Msg) -> None:
            changed.set()

        # First subscribe, then ask: a change between the two is not missed.
        subscription = await wire.subscribe(self._nc, subject, on_event, timeout=timeout)
        last = "no answer yet"
        try:
            while deadline.left():
                changed.clear()
                try:
                    status = await self.get_status(
                        payment_id, timeout=min(_ASK_TIMEOUT, max(deadline.left(), 0.001))
                    )
                    if status["status"] in FINAL:
                        return status
                    last, pause = status["status"], _ASK_EVERY
                except ClientError as error:
                    if not _passes(error):
                        raise
                    last, pause = str(error), _ASK_AGAIN
                await _wait(changed, min(pause, deadline.left()))
        finally:
            await wire.unsubscribe(subscription)
        raise RequestTimeout(f"payment {payment_id} has no final status after {deadline}: {last}")


def _optional(name: str, value: object) -> str | None:
    if value is None:
        return None
    text = body.check_text(name, value)
    if len(text.encode(errors="replace")) > _MAX_FIELD_BYTES:
        raise BadInput(f"{name} is longer than {_MAX_FIELD_BYTES} bytes")
    return text


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        pass  # asked again all the same


def _passes(error: ClientError) -> bool:
    """Whether a restart of a service or the broker explains it."""
    if isinstance(error, ServiceError):
        return error.code >= 500
    return isinstance(error, (NoResponders, RequestTimeout, ConnectionFailed))


def _exact(amount: object) -> Decimal:
    if isinstance(amount, Decimal):
        return amount
    if isinstance(amount, int) and not isinstance(amount, bool):
        return Decimal(amount)
    try:
        # No larger than a number in JSON may be.
        if isinstance(amount, str) and _NUMBER.fullmatch(amount) and isfinite(float(amount)):
            return Decimal(amount)
    except InvalidOperation:
        pass  # an exponent that Python has no Decimal for
    raise BadReply(f"the status has an amount that is no number: {excerpt(amount)}")
