"""`MathClient`: arithmetic by request-reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, cast

from . import body, wire
from .body import Number
from .errors import BadReply, DomainError
from .subjects import MATH_CALCULATE

if TYPE_CHECKING:
    from nats.aio.client import Client as NATS


class _Operation(TypedDict):
    operation: str


class MathReply(_Operation, total=False):
    """What `calculate` returns: `result` or, for a domain error, `error`; never both."""

    result: Number
    error: str


class MathClient:
    """Asks `services.math.calculate`.

    >>> await MathClient(nc).add(10, 5)                                    # doctest: +SKIP
    15

    Operands are int or float; an int stays an int on the wire. Every method takes `timeout`, in
    seconds, and raises BadInput (a bool, NaN, infinity), NoResponders, RequestTimeout,
    ServiceError, BadReply, ConnectionFailed, PayloadTooLarge or PermissionDenied. All but
    `calculate` raise DomainError where there is no result, except as they say.
    """

    def __init__(self, nc: NATS) -> None:
        self._nc = nc

    async def calculate(
        self,
        operation: str,
        a: Number,
        b: Number | None = None,
        *,
        timeout: float = wire.DEFAULT_TIMEOUT,
    ) -> MathReply:
        """The reply as it is: `{"operation": "add", "result": 15}`.

        A domain error is a reply too: `{"operation": "divide", "error": "division by zero"}`.
        `operation` is one of add, subtract, multiply, divide, power, sqrt; `b` is for all but sqrt.
        """
        request = {
            "operation": body.check_text("operation", operation),
            "a": body.check_number("a", a),
            "b": None if b is None else body.check_number("b", b),
        }
        reply = await wire.ask(self._nc, MATH_CALCULATE, body.encode(request), timeout=timeout)
        result, error = reply.get("result"), reply.get("error")
        is_number = isinstance(result, (int, float)) and not isinstance(result, bool)
        if reply.get("operation") is None:
            reply["operation"] = operation
        for name in ("operation", "error"):
            if not isinstance(reply.get(name, ""), (str, type(None))):
                raise BadReply(f"the {name} is no text: {reply}")
        if not is_number and (result is not None or not error):
            raise BadReply(f"neither a number nor an error: {reply}")
        if error:
            # The original server writes `"result": 0` beside its errors: the error wins.
            reply.pop("result", None)
        else:
            reply.pop("error", None)  # null or empty: there is none
        return cast(MathReply, reply)

    async def add(self, a: Number, b: Number, *, timeout: float = wire.DEFAULT_TIMEOUT) -> Number:
        """a + b."""
        return _result(await self.calculate("add", a, b, timeout=timeout))

    async def subtract(
        self, a: Number, b: Number, *, timeout: float = wire.DEFAULT_TIMEOUT
    ) -> Number:
        """a - b."""
        return _result(await self.calculate("subtract", a, b, timeout=timeout))

    async def multiply(
        self, a: Number, b: Number, *, timeout: float = wire.DEFAULT_TIMEOUT
    ) -> Number:
        """a x b."""
        return _result(await self.calculate("multiply", a, b, timeout=timeout))

    async def divide(
        self, a: Number, b: Number, *, timeout: float = wire.DEFAULT_TIMEOUT
    ) -> Number | None:
        """a / b; None where b is zero."""
        reply = await self.calculate("divide", a, b, timeout=timeout)
        return None if "error" in reply and b == 0 else _result(reply)

    async def power(self, a: Number, b: Number, *, timeout: float = wire.DEFAULT_TIMEOUT) -> Number:
        """a to the power of b."""
        return _result(await self.calculate("power", a, b, timeout=timeout))

    async def sqrt(self, a: Number, *, timeout: float = wire.DEFAULT_TIMEOUT) -> Number | None:
        """The square root of a; None where a is negative."""
        reply = await self.calculate("sqrt", a, timeout=timeout)
        return None if "error" in reply and a < 0 else _result(reply)


def _result(reply: MathReply) -> Number:
    if "error" in reply:
        raise DomainError(reply["error"])
    return reply["result"]
