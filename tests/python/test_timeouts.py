"""Timeouts of a call: all languages read the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nats
import pytest
from answers import answers

from client import BadInput, MathClient

VECTORS = Path(__file__).parents[1] / "vectors"
ROWS = json.loads((VECTORS / "timeouts.json").read_text("utf-8"))["rows"]
SUM = {"block": "", "body": '{"result":3}'}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
async def test_a_timeout_gets_the_verdict_of_its_row(row: dict[str, Any]) -> None:
    given = row["timeout"]
    timeout = float(given["float"]) if given and isinstance(given, dict) else given
    async with answers([SUM]) as url:
        nc = await nats.connect(url)
        sent = nc.stats["out_msgs"]
        try:
            assert await MathClient(nc).add(1, 2, timeout=timeout) == 3
            verdict = "accept"
        except BadInput:
            verdict = "reject"
            assert nc.stats["out_msgs"] == sent
        await nc.close()
    assert verdict == row["verdict"]
