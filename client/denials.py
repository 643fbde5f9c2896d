"""What the server has refused on a connection.

It says so beside the operation, never in answer to it: a refused publish or subscription looks like
any other, and a refused request would just time out. nats-py keeps the last such error only and
hands all of them to the connection's `error_cb`, which is the caller's; it has no public way to
listen beside it, so `_error_cb` is wrapped here.

Nothing is remembered for a later operation: what is refused now may be allowed then.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from weakref import WeakKeyDictionary

from nats.aio.client import Client as NATS

#: How many are kept; whoever waits for one hears of it long before so many more came.
KEPT = 256

# The subject is quoted by Go's %q; what may follow it says more of the subscription.
_VIOLATION = re.compile(
    r'permissions violation for (publish|subscription) (?:to|with reply of) "((?:[^"\\]|\\.)*)"',
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

# Of a subscription too many the server does not say which it is.
_TOO_MANY = "maximum subscriptions exceeded"


class Denial(NamedTuple):
    """One refusal; `definite` is false where what it stopped is only the answer."""

    number: int
    #: `publish` or `subscription`.
    action: str
    #: Empty where there is one subscription too many.
    subject: str
    text: str
    definite: bool = True


def refused(text: str) -> tuple[str, str] | None:
    """What the server's words refuse: `publish` or `subscription`, and the subject."""
    try:
        if found := _VIOLATION.search(text):
            return found[1].lower(), _unquoted(found[2])
    except ValueError:
        return None  # no server quotes like this
    return ("subscription", "") if _TOO_MANY in text.lower() else None


def _unquoted(text: str) -> str:
    """As Go's strconv.Unquote has it: what follows an x is one byte of UTF-8."""

    def plain(escape: re.Match[str]) -> str:
        byte, short, long, letter = escape.groups()
        if byte:
            return bytes.fromhex(byte).decode(errors="surrogateescape")
        return _LETTERS.get(letter, letter) if letter else chr(int(short or long, 16))

    return _ESCAPE.sub(plain, text).encode(errors="surrogateescape").decode(errors="replace")


class Denials:
    """The refusals of one connection, for as long as it lives."""

    _of: WeakKeyDictionary[NATS, Denials] = WeakKeyDictionary()

    @classmethod
    def of(cls, nc: NATS) -> Denials:
        known = cls._of.get(nc)
        if known is None:
            known = cls._of[nc] = Denials(nc)
        return known

    def __init__(self, nc: NATS) -> None:
        self.count = 0
        self._kept: deque[Denial] = deque(maxlen=KEPT)
        self._waiting: set[tuple[str, str, asyncio.Future[Denial]]] = set()
        theirs = nc._error_cb

        async def on_error(error: Exception) -> None:
            self._note(str(error))
            await theirs(error)

        nc._error_cb = on_error

    def since(self, count: int, subject: str, *, subscribes: bool = False) -> Denial | None:
        """The refusal of `subject` after there had been `count`, if there is one; for whoever
        subscribes also that of a subscription too many."""
        about = {("subscription", subject), ("subscription", "")}
        about = about if subscribes else {("publish", subject)}
        since = (denial for denial in self._kept if denial.number >= count)
        return next((d for d in since if (d.action, d.subject) in about), None)

    @contextmanager
    def watch(self, subject: str, inbox: str) -> Iterator[asyncio.Future[Denial]]:
        """Done as soon as the server refuses to publish to `subject`, or the `inbox` of the answer."""
        future: asyncio.Future[Denial] = asyncio.get_running_loop().create_future()
        waiting = (subject, inbox, future)
        self._waiting.add(waiting)
        try:
            yield future
        finally:
            self._waiting.discard(waiting)
            future.cancel()

    def _note(self, text: str) -> None:
        what = refused(text)
        if what is None:
            return
        action, subject = what
        denial = Denial(self.count, action, subject, text)
        self.count += 1
        self._kept.append(denial)
        for wanted, inbox, future in self._waiting:
            if future.done():
                continue
            if subject == inbox:
                # Without the inbox only the answer is lost.
                future.set_result(denial._replace(definite=action == "publish"))
            elif what == ("publish", wanted):
                future.set_result(denial)
