"""The process: from its first line to its exit status."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import NoReturn, TextIO

from .driver import Driver
from .lines import claim_stdout, read_lines


async def serve(out: TextIO) -> int:
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()
    reader = threading.Thread(
        target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True
    )
    reader.start()
    return await Driver(out).run(lines)


def main() -> NoReturn:
    out = claim_stdout()
    try:
        status = asyncio.run(serve(out))
        out.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 1
    sys.stderr.flush()
    # Not sys.exit: the thread may still hold stdin, and the interpreter would wait for its lock.
    os._exit(status)


if __name__ == "__main__":
    main()
