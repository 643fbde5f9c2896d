"""A server that speaks just enough of NATS to answer requests with the bytes of a vector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

INFO = {"version": "2.14.0", "headers": True, "max_payload": 1048576, "proto": 1, "jetstream": True}


@asynccontextmanager
async def answers(
    rows: list[dict[str, Any]], connected: list[str] | None = None
) -> AsyncIterator[str]:
    """Answers one request with each of these rows, the last again and again; its URL.

    Whoever subscribes to `x.>` gets all of them at once. `connected` gets an item a connection.
    """
    left = list(rows)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connected is not None:
            connected.append("")
        subscriptions: dict[str, str] = {}
        writer.write(f"INFO {json.dumps(INFO)}\r\n".encode())
        while line := (await reader.readline()).decode():
            verb, *words = line.split()
            if verb == "PING":
                writer.write(b"PONG\r\n")
            elif verb == "SUB":
                subscriptions[words[-1]] = words[0]
                if words[0] == "x.>":
                    sent = (message(subscriptions, row.get("subject", "x.y"), row) for row in rows)
                    writer.writelines(sent)
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


def message(subscriptions: dict[str, str], to: str, row: dict[str, Any]) -> bytes:
    fits = (sid for sid, subject in subscriptions.items() if to.startswith(subject.rstrip("*>")))
    # Bytes where a row has other ones than UTF-8.
    block = row["block"] if isinstance(row["block"], bytes) else row["block"].encode()
    body = str(row["body"]).encode()
    words = [to, next(fits), *filter(None, [row.get("reply")])]
    sizes = [len(block), len(block) + len(body)] if block else [len(body)]
    line = " ".join(["HMSG" if block else "MSG", *words, *map(str, sizes)])
    return line.encode("latin-1") + b"\r\n" + block + body + b"\r\n"
