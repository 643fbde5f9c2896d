"""What can be done to anything that is one process: a broker, a service."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mono_demo._handle import Handle

if TYPE_CHECKING:
    from collections.abc import Iterator

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True


class Process(Handle):
    """A handle to a process."""

    #: Its process id; another one after a restart.
    pid: int

    def kill(self) -> None:
        """SIGKILL; it stays away until :meth:`restart`."""
        self._fault("kill")

    def shut_down(self) -> None:
        """SIGTERM, and waits for the end; it stays away until :meth:`restart`."""
        self._fault("stop")

    def restart(self) -> None:
        """Starts it again where it was, and waits until it is ready; one that runs is stopped first."""
        self.pid = self._fault("restart")["pid"]

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._fault("pause")

    def resume(self) -> None:
        """SIGCONT."""
        self._fault("resume")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Paused inside of ``with``."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def log(self) -> list[str]:
        """The last lines that it printed."""
        logs = self._pipe.call("logs", of=self.name)["logs"]
        return list(logs[0]["lines"]) if logs else []
