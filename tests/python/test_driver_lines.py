"""What the driver makes of its input: all languages read the same rows."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from answers import answers
from support import driver

from client.driver.driver import Driver
from client.driver.fields import Fields

ROOT = Path(__file__).parents[2]
ROWS = json.loads((ROOT / "tests/vectors/drivers.json").read_text("utf-8"))["rows"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_driver_ends_and_answers_as_its_row_says(row: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "client.driver"]
    given = row["input"].encode()
    ended = subprocess.run(command, input=given, capture_output=True, cwd=ROOT, timeout=60)
    replies = sorted(map(told, ended.stdout.decode().splitlines()))
    assert (ended.returncode, replies) == (row["exit"], sorted(row["replies"])), ended.stderr


def told(line: str) -> str:
    reply = json.loads(line)
    outcome = reply["err"]["kind"] if "err" in reply else "skip" if "skip" in reply else "ok"
    return f"{reply['id']} {outcome}"


@pytest.mark.parametrize("amount", ["1E-99999999999", "0e99999999999", '"1e-99999999999"'])
async def test_an_amount_of_a_huge_exponent_is_not_written_out(amount: str) -> None:
    body = f'{{"payment_id":"p","status":"completed","amount":{amount}}}'
    async with answers([{"block": "", "body": body}]) as url, driver() as remote:
        await remote.hello(url)
        call = {"method": "payment.get_status", "args": ["p"], "timeout_ms": 20_000}
        assert "amount" in await remote.ok("call", **call)


async def test_a_number_beyond_all_decimals_is_the_command_s_own_fault() -> None:
    call = '"op":"call","method":"math.add","args":[1e99999999999999999999,1],"timeout_ms":1000'
    async with answers([{"block": "", "body": "{}"}]) as url, driver() as remote:
        await remote.hello(url)
        await remote.write(f'{{"id":7,{call}}}')
        reply = await remote.reply()
        assert (reply["id"], reply["err"]["kind"]) == (7, "bad_input"), reply


async def test_an_outcome_that_is_no_json_is_answered_all_the_same() -> None:
    async def strange(_: Fields) -> object:
        return object()

    out = io.StringIO()
    at_fault = Driver(out)
    at_fault._ops["strange"] = strange
    await at_fault._answer(3, Fields({"op": "strange"}))
    reply = json.loads(out.getvalue())
    assert (reply["id"], reply["err"]["kind"], reply["err"]["definite"]) == (3, "other", False)
