"""A server that speaks just enough of NATS to answer requests with the bytes of a vector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

INFO = {"version": "2.14.0", "headers": True, "max_payload": 1048576, "proto": 1, "jetstream": True}


@asynccontextmanager
async def answers(rows: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Answers one request with each of these rows, the last again and again; its URL."""
    left = list(rows)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subscriptions: dict[str, str] = {}
        writer.write(f"INFO {json.dumps(INFO)}\r\n".encode())
        while line := (await reader.readline()).decode():
            verb, *words = line.split()
            if verb == "PING":
                writer.write(b"PONG\r\n")
            elif verb == "SUB":
                subscriptions[words[-1]] = words[0]
            elif verb in ("PUB", "HPUB"):
                await reader.readexactly(int(words[-1]) + 2)
                if len(words) != (3 if verb == "PUB" else 4):
                    continue  # no reply is asked for
                row = left.pop(0) if len(left) > 1 else left[0]
                if row.get("fault") == "close":
                    break
                if row["body"] is not None:
                    writer.write(message(subscriptions, words[1], row))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "nats://127.0.0.1:{}".format(server.sockets[0].getsockname()[1])
    finally:
        server.close()


def message(subscriptions: dict[str, str], reply: str, row: dict[str, Any]) -> bytes:
    fits = (sid for sid, subject in subscriptions.items() if reply.startswith(subject.rstrip("*")))
    block, body = str(row["block"]).encode(), str(row["body"]).encode()
    sizes = f"{len(block)} {len(block) + len(body)}" if block else f"{len(body)}"
    verb = "HMSG" if block else "MSG"
    return f"{verb} {reply} {next(fits)} {sizes}\r\n".encode() + block + body + b"\r\n"
