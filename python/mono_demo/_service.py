"""The handle to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_demo._handle import Handle

if TYPE_CHECKING:
    from mono_demo._pipe import Pipe


class Service(Handle):
    """A program that runs beside a broker."""

    def __init__(self, pipe: Pipe, answer: dict[str, Any]) -> None:
        super().__init__(pipe, answer["name"])
        #: Its process; another one after a restart.
        self.pid: int = answer["pid"]

    def kill(self) -> None:
        """SIGKILL; it stays away until :meth:`restart`."""
        self._fault("kill")

    def shut_down(self) -> None:
        """SIGTERM, and waits for the end; it stays away until :meth:`restart`."""
        self._fault("stop")

    def restart(self) -> None:
        """Starts it again, and waits until it is ready; one that runs is stopped first."""
        self.pid = self._fault("restart")["pid"]

    def pause(self) -> None:
        """SIGSTOP."""
        self._fault("pause")

    def resume(self) -> None:
        """SIGCONT."""
        self._fault("resume")

    def log(self) -> list[str]:
        """The last lines that it printed."""
        logs = self._pipe.call("logs", of=self.name)["logs"]
        return list(logs[0]["lines"]) if logs else []
