"""A vector file in which somebody changed a row turns this suite red."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: The test that is red where a file is doctored.
RED = {
    "bad-input.json": "test_a_vector_gets_its_verdict_here_too",
    "currencies.json": "test_the_table_of_currencies_is_the_shared_one",
    "error-kinds.json": "test_a_reply_is_what_its_row_says",
    "wait.json": "test_a_wait_rides_out_what_its_row_says",
    "original.json": "test_a_reply_of_the_original_server_is_what_its_row_says",
    "unreadable.json": "test_no_message_of_a_subscription_costs_the_next_one",
    "timeouts.json": "test_a_timeout_gets_the_verdict_of_its_row",
    "drivers.json": "test_the_driver_ends_and_answers_as_its_row_says",
    "permissions.json": "test_the_words_of_a_server_name_the_subject_of_their_row",
    "subscriptions.json": "test_a_subscription_gets_the_verdict_of_its_row",
    "logins.json": "test_each_server_is_shown_the_login_of_its_own_url",
}
SUITE = ["vectors", "replies", "unreadable", "timeouts", "driver_lines", "logins"]


def test_each_doctored_file_is_told(tmp_path: Path) -> None:
    for folder in ("client", "tests/python", "tests/vectors"):
        skipped = shutil.ignore_patterns("node", "go", "__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    changes = json.loads((ROOT / "tests/vectors/doctored.json").read_text("utf-8"))["changes"]
    assert {change["file"] for change in changes} == RED.keys()
    for change in changes:
        path = tmp_path / "tests/vectors" / change["file"]
        file = at = json.loads(path.read_text("utf-8"))
        *way, last = change["at"]
        for step in way:
            at = at[step]
        at[last] = change["value"]
        path.write_text(json.dumps(file), "utf-8")
    tests = [f"tests/python/test_{name}.py" for name in SUITE]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    red = set(re.findall(r"^FAILED \S+::(\w+)", ended.stdout, re.MULTILINE))
    assert red >= set(RED.values())
