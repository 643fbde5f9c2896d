"""The three standard streams: commands in, the protocol out, and a log beside it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TextIO


def log(text: str) -> None:
    """One note for whoever reads the driver's log."""
    print(text, file=sys.stderr, flush=True)


def claim_stdout() -> TextIO:
    """Keeps stdout for the protocol: whatever else prints goes to stderr, native code included."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(protocol, "w", encoding="utf-8", newline="\n")


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes | None]) -> None:
    """Feeds stdin to the loop, from a thread: stdin may be a file, which asyncio cannot watch."""

    def feed(line: bytes | None) -> None:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:
            pass  # the loop has ended, so nobody waits for a line

    for line in sys.stdin.buffer:
        if line.strip():
            feed(line)
    feed(None)
