"""The process: from its first line to its exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import NoReturn, TextIO

from .driver import BROKEN, Driver, Unheard
from .lines import Lines, claim_stdout, log, read_lines


async def serve(out: TextIO) -> int:
    lines: Lines = asyncio.Queue()
    reader = threading.Thread(
        target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True
    )
    reader.start()
    return await Driver(out).run(lines)


def main() -> NoReturn:
    # Of a server that goes away, asyncio says "returning true from eof_received() has no effect".
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        status = asyncio.run(serve(claim_stdout()))
    except KeyboardInterrupt:
        status = 130
    except (Unheard, OSError) as error:
        log(f"replies cannot be written: {error}")
        status = BROKEN
    # Not sys.exit: the thread may still hold stdin, and the interpreter would wait for its lock.
    os._exit(status)


if __name__ == "__main__":
    main()
