"""Histories: what a test does and what was promised, judged while things break."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mono_demo._handle import Handle

if TYPE_CHECKING:
    from mono_demo._pipe import Pipe

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True

#: Errors of nats-py after which nothing has happened, by name: nobody was asked, or it was refused.
_DEFINITE = frozenset({
    "APIError",
    "BadSubjectError",
    "BadSubscriptionError",
    "MaxPayloadError",
    "NoRespondersError",
    "NoStreamResponseError",
})


class BrokenPromise(AssertionError):
    """What was promised was not kept, or cannot be told; the message is the whole report."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"the history is {verdict.word}\n{verdict.report}")
        #: What was judged.
        self.verdict = verdict


@dataclass(frozen=True)
class Verdict:
    """What came of a history."""

    #: ``valid``, ``invalid``, or ``unknown``, which proves nothing.
    word: str
    #: For people: each promise, its evidence, and the figures.
    report: str
    #: What was declared and what every history promises, one after the other: ``name``, ``verdict``,
    #: ``looked_at``, ``told``. A promise may have the name of a property, as ``order``.
    promises: list[dict[str, Any]]
    #: As ``acknowledged``, ``done``, ``lost``, ``twice``.
    figures: dict[str, Any]
    #: What did no harm and will: ``name``, ``seen``, ``leads_to``, ``remedy``, ``manual``.
    hazards: list[dict[str, Any]]
    #: Why nobody looked for hazards, where nobody could.
    no_hazards: str | None = None
    #: What was declared, by its name; each as in ``promises``.
    declared: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What every history promises, as ``replies``, by its word.
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)


class Operation:
    """An operation under way, as a context manager: what it raises is how it ended.

    An error after which nothing has happened, as no responders, is a failure; any other may have happened.
    """

    def __init__(self, pipe: Pipe, history: str, number: int) -> None:
        self._pipe, self._history, self._number = pipe, history, number
        self._ended = False

    def acknowledged(self, sequence: int, duplicate: bool = False) -> None:
        """A stream has it, under this sequence; ``duplicate``: it had it already."""
        self._end("ok", sequence=sequence, duplicate=duplicate or None)

    def failed(self, reason: str) -> None:
        """It certainly did not happen."""
        self._end("fail", reason=reason)

    def unknown(self, reason: str) -> None:
        """It may have happened."""
        self._end("unknown", reason=reason)

    def _end(self, outcome: str, **more: Any) -> None:
        self._ended = True
        self._pipe.call(
            "history.end", of=self._history, operation=self._number, outcome=outcome, **more
        )

    def __enter__(self) -> Operation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended:
            return
        if error is None:
            self._end("ok")
            return
        definite = any(one.__name__ in _DEFINITE for one in type(error).__mro__)
        reason = f"{type(error).__name__}: {error}"
        self.failed(reason) if definite else self.unknown(reason)


class History(Handle):
    """What a test does with a broker, and what is promised of it.

    ::

        history = broker.history(order={
            "operation": {"submit": "orders.new"}, "key": "/id",
            "effect": {"stream": "RECEIPTS", "key": "/id"},
        })
        with history.submit("orders.new", body) as operation:
            ack = await js.publish("orders.new", body)
            operation.acknowledged(ack.seq, bool(ack.duplicate))
        broker.kill()
        broker.restart()
        history.must_hold()
    """

    def __init__(self, pipe: Pipe, answer: dict[str, Any]) -> None:
        super().__init__(pipe, answer["name"])
        self._judged = False

    @property
    def is_judged(self) -> bool:
        """Whether it has ended: a history is judged once."""
        return self._judged

    def submit(self, subject: str, body: Any = b"", **more: Any) -> Operation:
        """A JetStream publish that waits for its acknowledgement, around the client's own call.

        ``body`` is bytes, text, or anything else as JSON; ``more`` is ``headers`` and ``client``, who does it.
        """
        return self._invoke("submit", subject, body, **more)

    def request(self, subject: str, body: Any = b"", **more: Any) -> Operation:
        """The same for a request that waits for its reply."""
        return self._invoke("request", subject, body, **more)

    def publish(self, subject: str, body: Any = b"", **more: Any) -> Operation:
        """The same for a core publish; it has ended once it was flushed."""
        return self._invoke("publish", subject, body, **more)

    def judge(self, into: str | os.PathLike[str] | None = None) -> Verdict:
        """Waits until what was promised is there or too late, and judges, once.

        ``into`` is a file that keeps the history, for ``mono-demo history check``.
        """
        kept = os.path.abspath(into) if into is not None else None
        told = self._pipe.call("history.judge", of=self.name, into=kept)
        # What could not be judged can be judged again.
        self._judged = True
        return Verdict(
            word=told["verdict"],
            report=told["report"],
            promises=told["promises"],
            figures=told["figures"],
            hazards=told["hazards"],
            no_hazards=told.get("no_hazards"),
            declared=told["declared"],
            properties=told["properties"],
        )

    def must_hold(self, into: str | os.PathLike[str] | None = None) -> Verdict:
        """As :meth:`judge`, and raises :class:`BrokenPromise` unless it is valid."""
        verdict = self.judge(into)
        if verdict.word != "valid":
            raise BrokenPromise(verdict)
        return verdict

    def _invoke(
        self,
        verb: str,
        subject: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        client: str | None = None,
    ) -> Operation:
        many = {name: [value] for name, value in headers.items()} if headers else None
        answer = self._pipe.call(
            "history.invoke",
            of=self.name,
            verb=verb,
            subject=subject,
            payload_base64=base64.b64encode(_bytes(body)).decode(),
            headers=many,
            client=client,
        )
        return Operation(self._pipe, self.name, answer["operation"])


def _bytes(body: Any) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    return (body if isinstance(body, str) else json.dumps(body)).encode()
