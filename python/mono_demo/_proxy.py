"""The handle to a proxy: a network that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mono_demo._handle import Handle

if TYPE_CHECKING:
    from mono_demo._pipe import Pipe

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True

Direction = Literal["to-server", "to-client"]
Message = Literal["publish", "pub-ack", "delivery", "ack", "nak", "reply"]


class Proxy(Handle):
    """A network in front of a broker; faults stay until :meth:`heal`.

    Those by message (:meth:`lose` and the like) say which with ``subject``, ``header``, ``body``,
    ``nth``, ``every`` and ``times``; without them it is the next one.
    """

    def __init__(self, pipe: Pipe, name: str, url: str, ca: str | None) -> None:
        super().__init__(pipe, name)
        #: Where clients connect, with what they must show.
        self.url = url
        self.ca = ca

    def delay(self, latency_ms: int, jitter_ms: int = 0) -> None:
        """Every byte takes longer, each way."""
        self._fault("delay", latency_ms=latency_ms, jitter_ms=jitter_ms)

    def cut(self) -> None:
        """Every connection is reset now; new ones are accepted."""
        self._fault("cut")

    def cut_after(self, bytes: int, direction: Direction) -> None:
        """The connection that passes this byte is cut after it, once."""
        self._fault("cut-after", bytes=bytes, direction=direction)

    def chop(self, bytes: int, pause_ms: int) -> None:
        """Writes of at most so many bytes, with a pause after each."""
        self._fault("chop", bytes=bytes, pause_ms=pause_ms)

    def blackhole(self) -> None:
        """Connections stay open and nothing arrives, either way."""
        self._fault("blackhole")

    def half_open(self, direction: Direction) -> None:
        """Nothing arrives in this direction; the other passes."""
        self._fault("half-open", direction=direction)

    def refuse(self) -> None:
        """New connections are refused; those that are open stay."""
        self._fault("refuse")

    def heal(self) -> None:
        """Ends every fault."""
        self._fault("heal-network")

    def lose(self, message: Message, **which: str | int) -> None:
        """Such messages never arrive."""
        self._fault("lose", messages={"message": message, **which})

    def duplicate(self, message: Message, **which: str | int) -> None:
        """They arrive twice."""
        self._fault("duplicate", messages={"message": message, **which})

    def late(self, message: Message, by_ms: int, **which: str | int) -> None:
        """They arrive later; what comes behind overtakes them."""
        self._fault("late", by_ms=by_ms, messages={"message": message, **which})

    def swap(self, message: Message, **which: str | int) -> None:
        """Each changes places with the next one that matches."""
        self._fault("swap", messages={"message": message, **which})

    def disconnect(
        self, message: Message, moment: Literal["before", "after"], **which: str | int
    ) -> None:
        """Their connection ends before they arrive, or after."""
        self._fault("disconnect", moment=moment, messages={"message": message, **which})
