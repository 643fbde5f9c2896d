"""The driver: `python -m client.driver` runs these clients for `mono-demo e2e`.

JSON lines, commands in on stdin, replies out on stdout, logs on stderr; `src/wire/driver.rs` is the
protocol. Commands run concurrently, and replies come in any order. End of input: what is in hand
ends, the connection drains, exit status 0. A line without an id to answer to: exit status 2.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import random
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, NoReturn, TextIO

import nats.aio.client
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from . import wire
from .email import EmailClient
from .errors import (
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
from .headers import check, guard
from .login import by_login, without_login
from .math import MathClient
from .payment import PaymentClient
from .subjects import excerpt

PROTOCOL_VERSION = 1

#: How long a hello tries to connect, seconds.
CONNECT_TIMEOUT = 5.0
#: How long what is in hand, and then the drain, may take at the end of input, seconds.
DRAIN_TIMEOUT = 3.0
#: Between two attempts to reconnect, seconds: a broker that is killed is back in no time.
RECONNECT_WAIT = 0.05
#: Between two pings, seconds; a connection on which nothing arrives any more is noticed after three.
PING_INTERVAL = 5

CLIENTS: dict[str, Callable[[nats.aio.client.Client], object]] = {
    "math": MathClient,
    "email": EmailClient,
    "payment": PaymentClient,
}
METHODS = frozenset(
    [f"math.{name}" for name in ("calculate", "add", "subtract", "multiply", "divide", "power")]
    + ["math.sqrt", "email.send_email", "email.send_bulk_emails"]
    + [f"payment.{name}" for name in ("submit_payment", "get_status", "wait_for_status")]
)

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


class Skipped(Exception):
    """This driver cannot do it; the text says why."""


class NothingCame(RequestTimeout):
    """No message of a subscription in time; one that comes later is still there to be taken."""

    definite = True


class Inbox:
    """A subscription and what it received, in order of arrival.

    Not nats-py's own queue: a drain would wait for messages in it that nobody asks for.
    """

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Msg] = asyncio.Queue()
        self.subscription: Subscription | None = None

    async def receive(self, message: Msg) -> None:
        self.messages.put_nowait(message)


class Driver:
    """One connection, and the commands that run over it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._connected: asyncio.Future[nats.aio.client.Client] | None = None
        self._inboxes: dict[int, Inbox] = {}
        self._last_subscription = 0
        self._running: set[asyncio.Task[None]] = set()
        self._ops: dict[str, Callable[[Fields], Awaitable[object]]] = {
            "hello": self.hello,
            "call": self.call,
            "request": self.request,
            "publish": self.publish,
            "submit": self.submit,
            "subscribe": self.subscribe,
            "next": self.next,
            "unsubscribe": self.unsubscribe,
        }

    async def run(self, lines: asyncio.Queue[bytes | None]) -> int:
        """Serves until the input ends (None); returns the exit status."""
        status = 0
        while (line := await lines.get()) is not None:
            try:
                command_id, fields = parse(line)
            except ValueError as error:
                log(f"a line that is no command ({error}): {excerpt(line)}")
                status = 2
                break
            task = asyncio.ensure_future(self._answer(command_id, fields))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        await self._finish()
        return status

    async def _finish(self) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=DRAIN_TIMEOUT)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        if self._connected is None or not self._connected.done() or self._connected.exception():
            return
        nc = self._connected.result()
        closing = asyncio.ensure_future(nc.drain() if nc.is_connected else nc.close())
        done, _ = await asyncio.wait({closing}, timeout=DRAIN_TIMEOUT)
        if not done:
            log("the connection did not drain in time")
        elif error := closing.exception():
            log(f"while draining: {error}")

    async def _answer(self, command_id: int, fields: Fields) -> None:
        try:
            op = fields.get("op", str)
            handler = self._ops.get(op)
            if handler is None:
                raise Skipped(f"this driver does not know the operation {excerpt(op)}")
            outcome: dict[str, object] = {"ok": await handler(fields)}
        except Skipped as skipped:
            outcome = {"skip": str(skipped)}
        except ClientError as error:
            outcome = {"err": described(error)}
        except asyncio.CancelledError:
            cut = ConnectionFailed("the input ended before there was an outcome", definite=False)
            outcome = {"err": described(cut)}
        except Exception as error:  # a fault of ours: told to both sides, and the driver goes on
            log(traceback.format_exc().rstrip())
            text = f"{type(error).__name__}: {error}"
            outcome = {"err": {"kind": "other", "definite": False, "message": text}}
        line = to_json({"id": command_id, **outcome})
        try:
            print(line, file=self._out, flush=True)
        except OSError as error:
            log(f"nobody reads the replies any more ({error}); lost: {excerpt(line)}")

    async def hello(self, fields: Fields) -> object:
        protocol = fields.get("protocol", int)
        if protocol != PROTOCOL_VERSION:
            raise BadInput(f"protocol version {protocol}: this driver speaks {PROTOCOL_VERSION}")
        random.seed(fields.get("seed", int, 0))
        url = fields.get("url", str)
        user, password = fields.get("user", str, None), fields.get("password", str, None)
        if self._connected is not None:
            raise BadInput("a second hello on one connection")
        self._connected = asyncio.get_running_loop().create_future()
        try:
            self._connected.set_result(await connect(url, user, password))
        except BaseException as error:
            waiting, self._connected = self._connected, None
            if not isinstance(error, ClientError):
                error = ConnectionFailed(f"no connection: {error!r}", definite=True)
            waiting.set_exception(error)
            waiting.exception()  # commands that came before may wait for it, or none
            raise
        return {
            "name": "python",
            "library": f"nats-py {nats.aio.client.__version__}",
            "capabilities": [op for op in self._ops if op != "hello"],
        }

    async def call(self, fields: Fields) -> object:
        name = fields.get("method", str)
        if name not in METHODS:
            raise Skipped(f"this client library has no method {excerpt(name)}")
        args, kwargs = fields.get("args", list, []), fields.get("kwargs", dict, {})
        group, method_name = name.split(".")
        if group != "payment":  # money stays exact; the rest are plain numbers
            args, kwargs = without_decimals(args), without_decimals(kwargs)
        kwargs.setdefault("timeout", fields.seconds())
        method = getattr(CLIENTS[group](await self._nc()), method_name)
        try:
            inspect.signature(method).bind(*args, **kwargs)
        except TypeError as error:
            raise BadInput(f"{name}: {error}") from None
        return await method(*args, **kwargs)

    async def request(self, fields: Fields) -> object:
        message, timeout = fields.message(), fields.seconds()
        return shown(await wire.request(await self._nc(), message, timeout=timeout))

    async def publish(self, fields: Fields) -> object:
        message = fields.message()
        await wire.publish(await self._nc(), [message])
        return {}

    async def submit(self, fields: Fields) -> object:
        message, timeout = fields.message(), fields.seconds()
        return await wire.submit(await self._nc(), message, timeout=timeout)

    async def subscribe(self, fields: Fields) -> object:
        subject, group = fields.get("subject", str), fields.get("queue_group", str, None)
        inbox = Inbox()
        inbox.subscription = await wire.subscribe(
            await self._nc(), subject, inbox.receive, queue_group=group or ""
        )
        self._last_subscription += 1
        self._inboxes[self._last_subscription] = inbox
        return {"subscription": self._last_subscription}

    async def next(self, fields: Fields) -> object:
        timeout_ms = fields.get("timeout_ms", int)
        messages = self._inbox(fields).messages
        if not messages.empty():
            return shown(messages.get_nowait())
        try:
            return shown(await asyncio.wait_for(messages.get(), timeout_ms / 1000))
        except asyncio.TimeoutError:
            raise NothingCame(f"no message within {timeout_ms} ms") from None

    async def unsubscribe(self, fields: Fields) -> object:
        inbox = self._inbox(fields)
        del self._inboxes[fields.get("subscription", int)]
        if inbox.subscription is not None:
            await wire.unsubscribe(inbox.subscription)
        return {}

    async def _nc(self) -> nats.aio.client.Client:
        if self._connected is None:
            raise BadInput("the first command is hello")
        return await asyncio.shield(self._connected)

    def _inbox(self, fields: Fields) -> Inbox:
        number = fields.get("subscription", int)
        if number not in self._inboxes:
            raise BadInput(f"there is no subscription {number}")
        return self._inboxes[number]


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
        timeout_ms = self.get("timeout_ms", int)
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
        command = json.loads(line.decode(), parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(command, dict):
        raise ValueError("not a JSON object")
    command_id = command.get("id")
    if not isinstance(command_id, int) or isinstance(command_id, bool) or command_id < 0:
        raise ValueError("no id")
    return command_id, Fields(command)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


async def connect(url: str, user: str | None, password: str | None) -> nats.aio.client.Client:
    """Connects, and from then on reconnects for ever; raises PermissionDenied, ConnectionFailed."""
    shown = excerpt(without_login(url))
    try:
        groups = by_login(url, user, password)
    except ValueError as error:
        text = f"cannot connect to {shown}: its user, password or token is not UTF-8"
        raise ConnectionFailed(text, definite=True) from error
    failures: list[ClientError] = []
    for servers, login in groups:
        try:
            return await dial(servers, login, shown, CONNECT_TIMEOUT / len(groups))
        except (PermissionDenied, ConnectionFailed) as error:
            failures.append(error)
    # One that answered says more than one that is away.
    failures.sort(key=lambda error: not isinstance(error, PermissionDenied))
    raise failures[0] if failures else ConnectionFailed("no server is named", definite=True)


async def dial(
    servers: list[str], login: Mapping[str, str], shown: str, limit: float
) -> nats.aio.client.Client:
    """The same with one login; no message has anything of it."""
    nc = nats.aio.client.Client()
    guard(nc)
    refused = asyncio.Event()
    last: list[Exception] = []

    async def on_error(error: Exception) -> None:
        log(f"nats: {error or type(error).__name__}")
        last[:] = [error]
        if "authorization" in str(error).lower() or "authentication" in str(error).lower():
            refused.set()

    async def on_reconnect() -> None:
        log("nats: connected again")

    options: dict[str, Any] = {
        "name": "mono-demo python driver",
        "error_cb": on_error,
        "reconnected_cb": on_reconnect,
        "connect_timeout": 1,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_WAIT,
        "drain_timeout": DRAIN_TIMEOUT,
        "ping_interval": PING_INTERVAL,
        "max_outstanding_pings": 2,
        **login,
    }
    connecting = asyncio.ensure_future(nc.connect(servers, **options))
    denial = asyncio.ensure_future(refused.wait())
    try:
        await asyncio.wait(
            {connecting, denial},
            timeout=limit,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if connecting.done():
            connecting.result()
            return nc
    except Exception as error:  # a URL that nats-py cannot read, in its many ways
        text = f"cannot connect to {shown}: {error!r}"
        raise ConnectionFailed(text, definite=True) from error
    finally:
        connecting.cancel()
        denial.cancel()
    cause = str(last[0]) or type(last[0]).__name__ if last else "no answer"
    if refused.is_set():
        raise PermissionDenied(f"{shown} refused the connection: {cause}")
    raise ConnectionFailed(f"no connection to {shown} within {limit:g} s: {cause}", definite=True)


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
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{%s}" % ",".join(f"{json.dumps(k)}:{to_json(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(to_json, value))
    return json.dumps(value, allow_nan=False)


def without_decimals(value: Any) -> Any:
    """The same, with floats for the decimals that `parse` reads."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [without_decimals(item) for item in value]
    if isinstance(value, dict):
        return {name: without_decimals(item) for name, item in value.items()}
    return value


def log(text: str) -> None:
    """One note for whoever reads the driver's log."""
    print(text, file=sys.stderr, flush=True)


def claim_stdout() -> TextIO:
    """Keeps stdout for the protocol: whatever else prints goes to stderr, native code included."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(protocol, "w", encoding="utf-8", newline="\n")


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes | None]) -> None:
    """Feeds stdin to the loop, from a thread: stdin may be a file, which asyncio cannot watch."""

    def feed(line: bytes | None) -> None:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:
            pass  # the loop has ended, so nobody waits for a line

    for line in sys.stdin.buffer:
        if line.strip():
            feed(line)
    feed(None)


async def serve(out: TextIO) -> int:
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()
    reader = threading.Thread(
        target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True
    )
    reader.start()
    return await Driver(out).run(lines)


def main() -> NoReturn:
    out = claim_stdout()
    try:
        status = asyncio.run(serve(out))
        out.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 1
    sys.stderr.flush()
    # Not sys.exit: the thread may still hold stdin, and the interpreter would wait for its lock.
    os._exit(status)


if __name__ == "__main__":
    main()
