"""What all handles have in common: a name, and a pipe to speak through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mono_demo._pipe import Pipe

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True


class Handle:
    """Something that `mono-demo control` has started."""

    def __init__(self, pipe: Pipe, name: str) -> None:
        self._pipe = pipe
        #: Its name, unique in its session.
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def stop(self) -> str:
        """Stops it in order; says how it ended: ``orderly``, or as ``exit status 1``."""
        stopped = self._pipe.call("stop", of=self.name)["stopped"]
        return str(stopped[0]["how"])

    def _fault(self, kind: str, **fields: object) -> dict[str, Any]:
        given = {name: value for name, value in fields.items() if value is not None}
        done: dict[str, Any] = self._pipe.call(
            "fault", of=self.name, fault={"kind": kind, **given}
        )
        return done
