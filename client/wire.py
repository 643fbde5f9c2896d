"""Request, publish, submit and subscribe over nats-py, each within its deadline and each truthful.

What nats-py 2.16 does not do by itself, and this file does:

- While it reconnects, it buffers what is published and sends it later, even after the caller gave
  up. Here one waits for the connection first: what could not be sent in time was never sent.
- Its flush writes the PING ahead of what still waits in its own buffer, so the PONG proves
  nothing about it; and while it reconnects, its flush returns at once. See `_barrier`.
- A PONG that comes after its flush timed out ends its read loop, and the connection is deaf from
  then on. Here a flush is never cancelled; one stops waiting for it.
- Its request takes every reply with status 503 for the server's "no responders", also a service's
  that has a body, and throws it away. See `_asked`.
- Some header blocks and subjects end its read loop: see headers.py.
- It compares only the body with `max_payload`; the server counts the headers too, and closes the
  connection for good where the sum is too large.
- A violation of permissions arrives beside the operation: see denials.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import nats.errors
from nats.aio.client import Client as NATS
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from . import body
from .deadline import Deadline
from .denials import Denial, Denials
from .errors import (
    BadInput,
    BadReply,
    ClientError,
    ConnectionFailed,
    NoResponders,
    NoStream,
    PayloadTooLarge,
    PermissionDenied,
    PublishRefused,
    RequestTimeout,
    ServiceError,
)
from .headers import check, first, guard, is_no_responders
from .outgoing import Outgoing
from .subjects import check_queue_group, check_subscribe_subject, excerpt

__all__ = [
    "DEFAULT_TIMEOUT",
    "Ack",
    "Deadline",
    "Outgoing",
    "ask",
    "publish",
    "request",
    "submit",
    "subscribe",
    "unsubscribe",
]

#: How long a call may take where the caller does not say, in seconds.
DEFAULT_TIMEOUT = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class Ack:
    """JetStream's word that a message is stored."""

    #: The stream that stored it.
    stream: str
    #: Its sequence there; of the first one where it is a duplicate.
    sequence: int
    #: True where a message with the same `Nats-Msg-Id` was stored shortly before: this one was not.
    duplicate: bool


async def request(nc: NATS, message: Outgoing, *, timeout: float = DEFAULT_TIMEOUT) -> Msg:
    """Asks, and returns the reply as it came, also one that carries an error.

    Raises NoResponders, RequestTimeout, PayloadTooLarge, ConnectionFailed or PermissionDenied.
    """
    deadline = Deadline(timeout)
    await _connected(nc, message, deadline)
    what = f"request to {message.subject}"
    try:
        inbox = nc.new_inbox()
        with _watched(nc).watch(message.subject, inbox) as denied:
            reply = await _bounded(_asked(nc, message, inbox), deadline, denied, what)
    except PermissionDenied:  # an OSError too
        raise
    except (asyncio.TimeoutError, nats.errors.TimeoutError):
        raise RequestTimeout(f"{what}: no reply within {deadline}") from None
    except (nats.errors.Error, OSError) as error:
        raise _translated(error, what) from error
    if is_no_responders(reply):
        raise NoResponders(f"{what}: nobody listens there")
    return reply


async def ask(
    nc: NATS,
    subject: str,
    payload: bytes,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    parse_float: Callable[[str], Any] | None = None,
) -> dict[str, Any]:
    """Asks a service, and returns its reply: a JSON object.

    Raises ServiceError where the service says so, BadReply, and what `request` raises.
    """
    reply = await request(nc, Outgoing(subject, payload), timeout=timeout)
    headers = check(reply)
    if first(headers, "Mono-Error") == "true" or any(
        name in headers for name in ("Nats-Service-Error", "Nats-Service-Error-Code")
    ):
        raise _service_error(headers, reply.data)
    return body.decode(reply.data, parse_float=parse_float)


async def publish(
    nc: NATS, messages: Iterable[Outgoing], *, timeout: float = DEFAULT_TIMEOUT
) -> None:
    """Publishes all or, where one of them is too large, none; returns once the broker has them.

    Raises PayloadTooLarge, ConnectionFailed, RequestTimeout or PermissionDenied.
    """
    deadline = Deadline(timeout)
    batch = list(messages)
    for message in batch:
        await _connected(nc, message, deadline)
    denials = _watched(nc)
    seen = denials.count
    reconnects = nc.stats["reconnects"]
    for index, message in enumerate(batch):
        what = f"publish to {message.subject}"
        try:
            await _bounded(
                nc.publish(message.subject, message.payload, headers=message.nats_headers()),
                deadline,
            )
        except asyncio.TimeoutError:
            raise RequestTimeout(f"{what}: not written within {deadline}") from None
        except (nats.errors.Error, OSError) as error:
            raise _translated(error, what, definite=index == 0) from error
    for subject in {message.subject for message in batch}:
        what = f"publish to {subject}"
        await _barrier(nc, what, deadline, reconnects)
        _check(denials.since(seen, subject), what)


async def submit(nc: NATS, message: Outgoing, *, timeout: float = DEFAULT_TIMEOUT) -> Ack:
    """Publishes to JetStream, and returns its acknowledgement.

    Raises NoStream, PublishRefused, BadReply, and what `request` raises.
    """
    try:
        reply = await request(nc, message, timeout=timeout)
    except NoResponders:
        raise NoStream(f"no stream stores {message.subject}, or JetStream is not ready") from None
    check(reply)
    answer = body.decode(reply.data)
    error = answer.get("error")
    if isinstance(error, dict) and isinstance(error.get("description", ""), (str, type(None))):
        raise PublishRefused(
            _int(error.get("code")),
            _int(error.get("err_code")),
            error.get("description") or "JetStream gave no reason",
        )
    stream, sequence = answer.get("stream"), _int(answer.get("seq"))
    duplicate = answer.get("duplicate")
    counted = 0 < sequence < 1 << 64 and isinstance(duplicate, (bool, type(None)))
    if error is not None or not isinstance(stream, str) or not stream or not counted:
        raise BadReply(f"this is no acknowledgement of a stream: {excerpt(reply.data)}")
    return Ack(stream, sequence, duplicate is True)


async def subscribe(
    nc: NATS,
    subject: str,
    handler: Callable[[Msg], Awaitable[None]],
    *,
    queue_group: str = "",
    timeout: float = DEFAULT_TIMEOUT,
) -> Subscription:
    """Subscribes; once it returns, the broker delivers to `handler` what anyone publishes.

    `subject` may have wildcards; an empty `queue_group` is none.
    Raises BadInput, ConnectionFailed, RequestTimeout or PermissionDenied.
    """
    deadline = Deadline(timeout)
    what = f"subscribe to {excerpt(subject)}"
    check_subscribe_subject(subject)
    if queue_group:
        check_queue_group(queue_group)
    await _connected(nc, None, deadline)
    denials = _watched(nc)
    seen = denials.count
    try:
        subscription = await _bounded(nc.subscribe(subject, queue_group, cb=handler), deadline)
    except asyncio.TimeoutError:
        raise RequestTimeout(f"{what}: not written within {deadline}") from None
    except (nats.errors.Error, OSError) as error:
        raise _translated(error, what) from error
    try:
        while True:
            try:
                await _barrier(nc, what, deadline, nc.stats["reconnects"])
                break
            except ConnectionFailed:
                # It comes back with the subscription in it; only the proof is to be had again.
                await _connected(nc, None, deadline)
        _check(denials.since(seen, subject, subscribes=True), what)
    except BaseException:
        await unsubscribe(subscription)
        raise
    return subscription


async def unsubscribe(subscription: Subscription) -> None:
    """Ends a subscription; harmless where it, or its connection, has ended already."""
    try:
        await subscription.unsubscribe()
    except (nats.errors.Error, OSError):
        pass  # what is not there any more delivers nothing


def _watched(nc: NATS) -> Denials:
    """What the server refuses on the connection, which no message ends from now on."""
    guard(nc)
    return Denials.of(nc)


async def _asked(nc: NATS, message: Outgoing, reply_to: str) -> Msg:
    """The first reply, whatever its status, to an inbox of its own."""
    answered: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
    inbox = await nc.subscribe(reply_to, future=answered)
    try:
        await inbox.unsubscribe(limit=1)
        headers = message.nats_headers()
        await nc.publish(message.subject, message.payload, reply=inbox.subject, headers=headers)
        reply = await answered
        if not reply.data:
            # The server does not count its own word that nobody listens, and would keep the inbox.
            await unsubscribe(inbox)
        return reply
    except BaseException:
        await unsubscribe(inbox)
        raise


async def _connected(nc: NATS, message: Outgoing | None, deadline: Deadline) -> None:
    """Waits until there is a connection that would take `message`."""
    while not nc.is_connected:
        if nc.is_closed or nc.is_draining or not deadline.left():
            state = "closed" if nc.is_closed else "draining" if nc.is_draining else "down"
            cause = f" ({nc.last_error})" if nc.last_error else ""
            raise ConnectionFailed(f"nothing sent: the connection is {state}{cause}", definite=True)
        # nats-py tells of a new connection only through a callback, which is the caller's.
        await asyncio.sleep(min(0.01, deadline.left()))
    if message is not None and message.size_bytes() > nc.max_payload:
        raise PayloadTooLarge(
            f"{message.size_bytes()} bytes for {message.subject}, "
            f"and the server accepts {nc.max_payload}"
        )


async def _barrier(nc: NATS, what: str, deadline: Deadline, reconnects: int) -> None:
    """Returns once the broker has handled all that was written before.

    Raises ConnectionFailed, not definite, where the connection broke since it counted `reconnects`.
    """
    flush: asyncio.Task[None] | None = None
    turns = 0
    while True:
        if not nc.is_connected or nc.stats["reconnects"] != reconnects:
            raise ConnectionFailed(f"{what}: the connection broke on the way", definite=False)
        if flush is not None and flush.done():
            break
        if not deadline.left():
            raise RequestTimeout(f"{what}: the broker did not confirm it within {deadline}")
        if flush is not None:
            # Woken by the PONG; in between it looks whether the connection still stands.
            await asyncio.wait({flush}, timeout=min(0.05, deadline.left()))
        elif nc.pending_data_size:
            # Each turn lets nats-py's writer go on; it says nothing when it has written all. A few
            # turns are enough unless the broker reads slowly.
            turns += 1
            await asyncio.sleep(0 if turns < 10 else 0.001)
        else:
            # Never cancelled: see the head of this file. A day stands for no timeout.
            flush = asyncio.ensure_future(nc.flush(timeout=86_400))
            flush.add_done_callback(_retrieve)
    try:
        flush.result()
    except (nats.errors.Error, OSError) as error:
        raise _translated(error, what, definite=False) from error


async def _bounded(
    operation: Coroutine[Any, Any, T],
    deadline: Deadline,
    denied: asyncio.Future[Denial] | None = None,
    what: str = "",
) -> T:
    """Awaits `operation`, but never longer than the deadline; then raises asyncio.TimeoutError.

    Raises PermissionDenied as soon as `denied` is done and there is no outcome.

    Not asyncio.wait_for: that waits for the cancelled task to end, and nats-py swallows
    cancellation in places.
    """
    task = asyncio.ensure_future(operation)
    task.add_done_callback(_retrieve)
    try:
        first: set[asyncio.Future[Any]] = {task} if denied is None else {task, denied}
        await asyncio.wait(
            first, timeout=deadline.left(), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        if not task.done():
            task.cancel()
    succeeded = task.done() and not task.cancelled() and task.exception() is None
    if denied is not None and denied.done() and not succeeded:
        _check(denied.result(), what)
    if not task.done():
        raise asyncio.TimeoutError
    return task.result()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Marks the error of a task that nobody awaits any more as seen."""
    if not task.cancelled():
        task.exception()


def _check(denial: Denial | None, what: str) -> None:
    """Raises PermissionDenied where the server refused it."""
    if denial is not None:
        raise PermissionDenied(f"{what}: {denial.text}", definite=denial.definite)


def _translated(error: Exception, what: str, *, definite: bool = True) -> ClientError:
    """nats-py's error in our terms; `definite` where it came before anything was written."""
    text = f"{what}: {error}"
    if isinstance(error, nats.errors.MaxPayloadError):
        return PayloadTooLarge(text)
    if isinstance(error, (nats.errors.BadSubjectError, nats.errors.BadHeaderError)):
        return BadInput(text)
    if isinstance(error, (asyncio.TimeoutError, nats.errors.TimeoutError)):
        return RequestTimeout(text)
    not_sent = (
        nats.errors.ConnectionClosedError,
        nats.errors.ConnectionDrainingError,
        nats.errors.ConnectionReconnectingError,
        nats.errors.OutboundBufferLimitError,
    )
    return ConnectionFailed(text, definite=definite and isinstance(error, not_sent))


def _service_error(headers: Mapping[str, str], data: bytes) -> ServiceError:
    message = first(headers, "Mono-Error-Message") or first(headers, "Nats-Service-Error")
    if not message:
        try:
            reason = body.decode(data).get("error")
        except BadReply:
            reason = None
        message = reason if isinstance(reason, str) and reason else "the service gave no reason"
    code = first(headers, "Nats-Service-Error-Code")
    number = int(code) if re.fullmatch(r"[0-9]{3}", code) else 500
    return ServiceError(number, message, first(headers, "Mono-Error-Type"))


def _int(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
