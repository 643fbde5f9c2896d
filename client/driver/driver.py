"""One connection, and the commands that run over it."""

from __future__ import annotations

import asyncio
import inspect
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TextIO

import nats.aio.client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from .. import wire
from ..email import EmailClient
from ..errors import BadInput, ClientError, ConnectionFailed, RequestTimeout
from ..math import MathClient
from ..payment import PaymentClient
from ..subjects import excerpt
from .connection import DRAIN_TIMEOUT, connect
from .fields import Fields, parse, without_decimals
from .lines import Lines, log
from .replies import described, shown, to_json

PROTOCOL_VERSION = 1

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


#: The exit status where commands cannot be read, or replies cannot be written.
BROKEN = 3


class Unheard(Exception):
    """A reply cannot be written; the text says why."""


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
        # Why nobody hears an answer any more.
        self._unheard: asyncio.Future[OSError] = asyncio.get_running_loop().create_future()
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

    async def run(self, lines: Lines) -> int:
        """Serves until the input ends (None), and returns the exit status.

        Raises Unheard as soon as a reply cannot be written.
        """
        serving = asyncio.ensure_future(self._serve(lines))
        either: set[asyncio.Future[Any]] = {serving, self._unheard}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._unheard.done():
            raise Unheard(str(self._unheard.result()))
        return serving.result()

    async def _serve(self, lines: Lines) -> int:
        status = 0
        while (line := await lines.get()) is not None:
            if isinstance(line, OSError):
                log(f"commands cannot be read: {line}")
                status = BROKEN
                break
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
            line = to_json({"id": command_id, "ok": await handler(fields)})
        except Skipped as skipped:
            line = to_json({"id": command_id, "skip": str(skipped)})
        except ClientError as error:
            line = to_json({"id": command_id, "err": described(error)})
        except asyncio.CancelledError:
            cut = ConnectionFailed("the input ended before there was an outcome", definite=False)
            line = to_json({"id": command_id, "err": described(cut)})
        except Exception as error:  # a fault of ours: told to both sides, and the driver goes on
            log(traceback.format_exc().rstrip())
            text = f"{type(error).__name__}: {error}"
            err = {"kind": "other", "definite": False, "message": text}
            line = to_json({"id": command_id, "err": err})
        try:
            print(line, file=self._out, flush=True)
        except OSError as error:
            if not self._unheard.done():
                self._unheard.set_result(error)

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
        name, timeout = fields.get("method", str), fields.seconds()
        if name not in METHODS:
            raise Skipped(f"this client library has no method {excerpt(name)}")
        args, kwargs = fields.get("args", list, []), fields.get("kwargs", dict, {})
        group, method_name = name.split(".")
        if group != "payment":  # money stays exact; the rest are plain numbers
            args, kwargs = without_decimals(args), without_decimals(kwargs)
        kwargs.setdefault("timeout", timeout)
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
        timeout = fields.seconds()
        messages = self._inbox(fields).messages
        if not messages.empty():
            return shown(messages.get_nowait())
        try:
            return shown(await asyncio.wait_for(messages.get(), timeout))
        except asyncio.TimeoutError:
            raise NothingCame(f"no message within {timeout:g} s") from None

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
