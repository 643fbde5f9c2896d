"""Bytes of strangers that cannot be read: an error, and the next message comes on the same connection.

All languages read the same rows.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nats
import pytest
from answers import answers
from nats.aio.msg import Msg

from client import BadReply, ClientError, MathClient, wire
from client.driver.replies import described, shown

VECTORS = Path(__file__).parents[1] / "vectors"
ROWS = [
    {**row, "block": row["block"].encode("latin-1")}
    for row in json.loads((VECTORS / "unreadable.json").read_text("utf-8"))["rows"]
]
REPLIES = [row for row in ROWS if "subject" not in row and "reply" not in row]
GOOD = {"block": b"NATS/1.0\r\nX: a\r\n\r\n", "body": '{"result":4}'}


async def asked(row: dict[str, Any], body: str) -> str:
    """The kind of what came of a request; the next one is answered on the same connection."""
    connected: list[str] = []
    async with answers([{**row, "body": body}, GOOD], connected) as url:
        nc = await nats.connect(url)
        math = MathClient(nc)
        try:
            kind = "ok" if await math.add(1, 2, timeout=20) == 3 else "another result"
        except ClientError as error:
            kind = str(described(error)["kind"])
            assert error.definite == (kind != "other")
        assert await math.add(1, 2, timeout=20) == 4
        await nc.close()
    assert len(connected) == 1, "the connection was made anew"
    return kind


@pytest.mark.parametrize("row", REPLIES, ids=lambda row: row["name"])
async def test_a_reply_is_what_its_row_says_and_the_next_one_comes(row: dict[str, Any]) -> None:
    assert await asked(row, '{"result":3}') in allowed(row)
    assert await asked(row, "") == row.get("empty", "other")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
async def test_no_message_of_a_subscription_costs_the_next_one(row: dict[str, Any]) -> None:
    connected: list[str] = []
    received: asyncio.Queue[Msg] = asyncio.Queue()
    async with answers([{**row, "body": "{}"}, GOOD], connected) as url:
        nc = await nats.connect(url)
        await wire.subscribe(nc, "x.>", received.put)
        first, second = [await asyncio.wait_for(received.get(), 20) for _ in range(2)]
        await nc.close()
    try:
        shown(first)
        kind = "ok"
    except BadReply as error:
        assert "cannot be read" in str(error)
        kind = "other"
    assert kind in allowed(row)
    assert kind not in allowed(doctored(row)) or "lenient" in row, "a doctored row is not told"
    assert shown(second)["headers"] == {"X": ["a"]}
    assert len(connected) == 1, "the connection was made anew"


def allowed(row: dict[str, Any]) -> set[str]:
    return {"ok", "other"} if "python" in row.get("lenient", {}) else {row["kind"]}


def doctored(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "kind": "ok" if row["kind"] == "other" else "other"}
