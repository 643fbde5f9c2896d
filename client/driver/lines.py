"""The three standard streams: commands in, the protocol out, and a log beside it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TextIO


#: What was read: lines; None at their end; or why there are no more.
Lines = asyncio.Queue["bytes | OSError | None"]


def log(text: str) -> None:
    """One note for whoever reads the driver's log."""
    print(text, file=sys.stderr, flush=True)


def claim_stdout() -> TextIO:
    """Keeps stdout for the protocol: whatever else prints goes to stderr, native code included."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(protocol, "w", encoding="utf-8", newline="\n")


def read_lines(loop: asyncio.AbstractEventLoop, lines: Lines) -> None:
    """Feeds stdin to the loop, from a thread: stdin may be a file, which asyncio cannot watch."""

    def feed(line: bytes | OSError | None) -> None:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:
            pass  # the loop has ended, so nobody waits for a line

    try:
        # There is none where it was closed before the program began.
        for line in sys.stdin.buffer if sys.stdin is not None else ():
            if line.strip():
                feed(line)
    except OSError as error:
        feed(error)
    feed(None)
