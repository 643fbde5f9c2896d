"""What the clients make of replies, and what a wait rides out: all languages read the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nats
import pytest
from answers import answers

from client import ClientError, MathClient, PaymentClient, ServiceError
from client.driver.replies import described

VECTORS = Path(__file__).parents[1] / "vectors"
REPLIES = json.loads((VECTORS / "error-kinds.json").read_text("utf-8"))["rows"]
ORIGINALS = json.loads((VECTORS / "original.json").read_text("utf-8"))["rows"]
WAITS = json.loads((VECTORS / "wait.json").read_text("utf-8"))["rows"]
MISSING = object()
COMPLETED = {"block": "", "body": '{"payment_id":"p","status":"completed"}'}


async def outcome(row: dict[str, Any]) -> dict[str, Any]:
    """What the client makes of it, in the row's own words."""
    timeout = 0.2 if row["body"] is None else 20
    async with answers([row]) as url:
        nc = await nats.connect(url)
        try:
            payment = PaymentClient(nc)
            if row["ask"] == "add":
                value: object = format(await MathClient(nc).add(1, 2, timeout=timeout), "g")
            elif row["ask"] == "status":
                value = (await payment.get_status("p", timeout=timeout))["status"]
            else:
                value = (await payment.submit_payment("p", amount=1, timeout=timeout)).sequence
            return {"kind": "ok", "value": str(value)}
        except ClientError as error:
            return failure(error)
        finally:
            await nc.close()


def failure(error: ClientError) -> dict[str, Any]:
    told = described(error)
    told["message"] = error.message if isinstance(error, ServiceError) else str(error)
    return told


def differs(row: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    names = ("kind", "definite", "code", "message", "value")
    found = [name for name in names if name in row and row[name] != seen.get(name, MISSING)]
    return found + ["says"] * (row.get("says", "") not in seen.get("message", ""))


@pytest.mark.parametrize("row", REPLIES, ids=lambda row: row["name"])
async def test_a_reply_is_what_its_row_says(row: dict[str, Any]) -> None:
    seen = await outcome(row)
    assert differs(row, seen) == [], seen


async def test_a_doctored_row_is_told() -> None:
    for row in REPLIES:
        seen = await outcome(row)
        assert differs({**row, "kind": "bad_input"}, seen) == ["kind"]
        if "definite" in row:
            assert differs({**row, "definite": not row["definite"]}, seen) == ["definite"]


async def returned(row: dict[str, Any]) -> dict[str, Any]:
    """What a method of the math client makes of a body, in the row's own words."""
    async with answers([{"block": "", **row}]) as url:
        nc = await nats.connect(url)
        try:
            method = getattr(MathClient(nc), row["method"])
            return {"value": await method(*row["args"], timeout=20)}
        except ClientError as error:
            return failure(error)
        finally:
            await nc.close()


@pytest.mark.parametrize("row", ORIGINALS, ids=lambda row: row["name"])
async def test_a_reply_of_the_original_server_is_what_its_row_says(row: dict[str, Any]) -> None:
    seen = await returned(row)
    assert differs(row, seen) == [], seen
    doctored = {**row, "kind": "timeout"} if "kind" in row else {**row, "value": 99}
    assert differs(doctored, seen)


async def waited(row: dict[str, Any]) -> str | None:
    """What ended the wait, if not the status that comes next."""
    async with answers([row, COMPLETED]) as url:
        nc = await nats.connect(url, reconnect_time_wait=0.05)
        try:
            status = await PaymentClient(nc).wait_for_status("p", timeout=20)
            assert status["status"] == "completed"
            return None
        except ClientError as error:
            return str(failure(error)["kind"])
        finally:
            await nc.close()


@pytest.mark.parametrize("row", WAITS, ids=lambda row: row["name"])
async def test_a_wait_rides_out_what_its_row_says(row: dict[str, Any]) -> None:
    ended = await waited(row)
    assert ended == row.get("ends")
    assert ended != doctored(row).get("ends"), "a doctored row is not told"


def doctored(row: dict[str, Any]) -> dict[str, Any]:
    """The row that says the opposite: it ends, or it is ridden out."""
    return {**row, "ends": None if "ends" in row else "other"}
