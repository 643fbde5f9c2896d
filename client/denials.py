"""What the server has refused on a connection.

It says so beside the operation, never in answer to it: a refused publish or subscription looks like
any other, and a refused request would just time out. nats-py keeps the last such error only and
hands all of them to the connection's `error_cb`, which is the caller's; it has no public way to
listen beside it, so `_error_cb` is wrapped here.
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

# nats-py lowers the server's words, subject included.
_VIOLATION = re.compile(
    r'permissions violation for (publish|subscription) to "(.*?)"(?: using queue|$)',
    re.IGNORECASE,
)


# Of a subscription too many the server does not say which it is.
_TOO_MANY = "maximum subscriptions exceeded"


class Denial(NamedTuple):
    """One refusal; `definite` is false where what it stopped is only the answer."""

    number: int
    #: In lower case; empty where there is one subscription too many.
    subject: str
    text: str
    definite: bool = True


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
        self._waiting: set[tuple[str, asyncio.Future[Denial]]] = set()
        # Where answers come: while that subscription is refused, none does.
        self._deaf: tuple[int, Denial] | None = None
        prefix = getattr(nc, "_inbox_prefix", b"_INBOX")
        prefix = prefix.decode() if isinstance(prefix, (bytes, bytearray)) else str(prefix)
        self._inboxes = f"{prefix.lower()}."
        # Nothing that the connection keeps may keep the connection.
        self._stats, theirs = nc.stats, nc._error_cb

        async def on_error(error: Exception) -> None:
            self._note(str(error))
            await theirs(error)

        nc._error_cb = on_error

    def since(self, count: int, subject: str, *, subscribes: bool = False) -> Denial | None:
        """The refusal of `subject` after there had been `count`, if there is one; for whoever
        subscribes also that of a subscription too many."""
        about = {subject.lower(), ""} if subscribes else {subject.lower()}
        return next((d for d in self._kept if d.number >= count and d.subject in about), None)

    @contextmanager
    def watch(self, subject: str) -> Iterator[asyncio.Future[Denial]]:
        """Done as soon as the server refuses `subject`, or no answer can come."""
        future: asyncio.Future[Denial] = asyncio.get_running_loop().create_future()
        if self._deaf is not None and self._deaf[0] == self._stats["reconnects"]:
            future.set_result(self._deaf[1])
        waiting = (subject.lower(), future)
        self._waiting.add(waiting)
        try:
            yield future
        finally:
            self._waiting.discard(waiting)
            future.cancel()

    def _note(self, text: str) -> None:
        found = _VIOLATION.search(text)
        if found is None and _TOO_MANY not in text.lower():
            return
        action, subject = (found[1].lower(), found[2].lower()) if found else ("subscription", "")
        deaf = action == "subscription" and subject.startswith(self._inboxes)
        denial = Denial(self.count, subject, text, definite=not deaf)
        self.count += 1
        self._kept.append(denial)
        if deaf:
            self._deaf = (self._stats["reconnects"], denial)
        for wanted, future in self._waiting:
            if (deaf or wanted == subject) and not future.done():
                future.set_result(denial)
