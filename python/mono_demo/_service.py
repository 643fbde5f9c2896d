"""The handle to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_demo._process import Process

if TYPE_CHECKING:
    from mono_demo._pipe import Pipe

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True


class Service(Process):
    """A program that runs beside a broker."""

    def __init__(self, pipe: Pipe, answer: dict[str, Any]) -> None:
        super().__init__(pipe, answer["name"])
        self.pid = answer["pid"]
