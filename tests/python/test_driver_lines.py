"""What the driver makes of its input: all languages read the same rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
