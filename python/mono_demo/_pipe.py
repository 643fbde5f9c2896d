"""The control protocol on the pipes of a child process: `docs/control.md` of mono-demo."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True

#: The version that this package speaks.
PROTOCOL_VERSION = 1

#: How long the program may take to say who it is (seconds).
GREETING = 30.0


class MonoDemoError(Exception):
    """Something was not done; the text says what, why, and what to do about it.

    ``kind`` is ``protocol``, ``bad_input``, ``no_such`` or ``failed``; ``log`` holds the last lines of
    what did not start.
    """

    def __init__(
        self, message: str, kind: str = "failed", hint: str | None = None, log: list[str] | None = None
    ) -> None:
        self.message, self.kind, self.hint, self.log = message, kind, hint, log or []
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        lines.extend(f"  | {line}" for line in self.log)
        return "\n".join(lines)


def program() -> str:
    """Where `mono-demo` is: `MONO_DEMO_BIN`, else beside this Python, else on PATH."""
    if named := os.environ.get("MONO_DEMO_BIN"):
        return named
    beside = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    for folder in beside:
        if os.access(found := folder / "mono-demo", os.X_OK):
            return str(found)
    if on_path := shutil.which("mono-demo"):
        return on_path
    raise MonoDemoError(
        f"there is no program `mono-demo` in {beside[0]} and none on PATH",
        hint="`pip install mono-demo` brings it; MONO_DEMO_BIN names another one",
    )


class Pipe:
    """A `mono-demo control` that runs, for any number of threads.

    It has a session of its own, so that Ctrl-C is for this process alone, which then closes the pipe.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._program = program()
        command = [self._program, "control"]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        except OSError as error:
            raise MonoDemoError(f"cannot start {self._program}: {error}") from error
        self._lock = threading.Lock()
        #: By the command's id: what was asked, and who waits.
        self._waiting: dict[int, tuple[str, Future[Any]]] = {}
        self._last_id = 0
        self._ended: str | None = None
        self._said: deque[str] = deque(maxlen=20)
        self._stderr = threading.Thread(target=self._read_stderr, daemon=True)
        self._stderr.start()
        self._stdout = threading.Thread(target=self._read_stdout, daemon=True)
        self._stdout.start()
        _pipes.add(self)
        try:
            self.call("hello", _timeout=GREETING, protocol=PROTOCOL_VERSION)
        except BaseException as error:
            # Whoever presses Ctrl-C waits for nobody.
            if not isinstance(error, Exception):
                self._kill()
            self.close()
            raise

    def call(self, op: str, _timeout: float | None = None, **fields: object) -> Any:
        """Does it and returns what `ok` holds; fields that are None are left out."""
        given = {name: value for name, value in fields.items() if value is not None}
        answer: Future[Any] = Future()
        with self._lock:
            if self._ended is not None:
                raise self._gone(f"{op}: {self._ended}")
            self._last_id += 1
            command_id = self._last_id
            self._waiting[command_id] = (op, answer)
            line = json.dumps({"id": command_id, "op": op, **given}, default=os.fspath)
            # One that has ended is told by the reader.
            with contextlib.suppress(OSError, ValueError):
                assert self._process.stdin is not None
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
        try:
            error = answer.exception(_timeout)
        except FutureTimeoutError:
            # One that is silent may not hear that the pipe is closed either.
            self._kill()
            error = MonoDemoError(
                f"{op}: {self._program} did not answer within {_timeout} s", log=list(self._said)
            )
        if error is not None:
            raise error
        return answer.result()

    def _kill(self) -> None:
        """With all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends the program, and with it all that it started; returns when all is gone."""
        _pipes.discard(self)
        with self._lock:
            is_under_way = bool(self._waiting)
        if is_under_way:
            # Nobody wants the answer any more, which it would finish first.
            self._process.terminate()
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait()
        self._stdout.join()
        self._stderr.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _read_stdout(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                reply = json.loads(line)
            except ValueError:
                self._said.append(line.decode(errors="replace").rstrip())
                continue
            with self._lock:
                _, answer = self._waiting.pop(reply.get("id"), (None, None))
            if answer is None:
                continue
            if (error := reply.get("err")) is None:
                answer.set_result(reply.get("ok"))
            else:
                answer.set_exception(
                    MonoDemoError(
                        error["message"], error["kind"], error.get("hint"), error.get("log")
                    )
                )
        # What it said last tells why.
        self._stderr.join(timeout=1)
        status = self._process.wait()
        with self._lock:
            self._ended = f"`{self._program} control` has ended, with status {status}"
            waiting, self._waiting = self._waiting, {}
        for op, answer in waiting.values():
            answer.set_exception(self._gone(f"{op}: {self._ended}"))

    def _gone(self, message: str) -> MonoDemoError:
        said = list(self._said)
        older = any("unrecognized subcommand" in line for line in said)
        hint = "it is older than this package: install both in the same version" if older else None
        return MonoDemoError(message, hint=hint, log=said)

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line.decode(errors="replace").rstrip())

    def _forget_in_child(self) -> None:
        """A child that was forked must not keep our end of the pipe open when we are gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                os.close(self._process.stdin.fileno())


#: Those of this process.
_pipes: set[Pipe] = set()


def _after_fork_in_child() -> None:
    for pipe in _pipes:
        pipe._forget_in_child()
    _pipes.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
