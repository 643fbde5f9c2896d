"""demo.py as people run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import demo
import pytest
from support import PATIENCE, ROOT, Server, unique

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def run_demo(
    *args: str, env: dict[str, str] | None = None, python: tuple[str, ...] = (sys.executable,)
) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NATS_URL", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "NO_COLOR")
    }
    return subprocess.run(
        [*python, ROOT / "demo.py", *args],
        env={**inherited, "PYTHONIOENCODING": "utf-8", **(env or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE * 2,
    )


def test_the_whole_tour_twice_tells_the_same(server: Server) -> None:
    runs = [run_demo(env={"NATS_URL": server.url}) for _ in range(2)]
    for ended in runs:
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.endswith("All as told.\n")
        assert "\x1b" not in ended.stdout
    first, second = (UUID.sub("<uuid>", ended.stdout) for ended in runs)
    assert first == second
    assert runs[0].stdout != runs[1].stdout, "each run has a payment of its own"


@pytest.mark.parametrize(
    ("flag", "heading"),
    [("--math-only", "Math"), ("--email-only", "Email"), ("--payment-only", "Payment")],
)
def test_one_part_only(server: Server, flag: str, heading: str) -> None:
    ended = run_demo(flag, "--nats-url", server.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    headings = [line.split(":")[0] for line in ended.stdout.splitlines() if line[:1].isalpha()]
    assert headings == [heading, "All as told."]


def test_the_name_localhost_does_too(server: Server) -> None:
    ended = run_demo("--math-only", "--nats-url", f"nats://localhost:{server.port}")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_running_serve_is_found(server: Server) -> None:
    ended = run_demo("--math-only", env={"XDG_RUNTIME_DIR": str(server.runtime_dir)})
    assert (ended.returncode, ended.stderr) == (0, "")


def test_no_server_is_one_clear_line_and_a_hint() -> None:
    ended = run_demo("--nats-url", "nats://127.0.0.1:1")
    assert ended.returncode == 3
    error, hint = ended.stderr.splitlines()
    assert error.startswith("error: no NATS server at nats://127.0.0.1:1")
    assert hint == "hint: cargo run --release -- serve"


@pytest.mark.parametrize(
    "url", ["nonsense", "nats://", "http://127.0.0.1:x", "nats://127.0.0.1:99999"]
)
def test_an_unreadable_url_is_no_traceback(url: str) -> None:
    ended = run_demo("--nats-url", url)
    assert ended.returncode == 3
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr


def test_bad_usage(server: Server) -> None:
    assert run_demo("--math-only", "--email-only").returncode == 2
    assert run_demo("--nonsense").returncode == 2


def test_without_nats_py_there_is_a_hint() -> None:
    # -S leaves out site-packages, and with it nats-py.
    ended = run_demo(python=(sys.executable, "-S"))
    assert ended.returncode == 3
    error, hint = ended.stderr.splitlines()
    assert error == "error: nats-py is not installed"
    assert "client/requirements.txt" in hint


def write_runtime_file(folder: Path, content: str) -> None:
    (folder / "mono-demo").mkdir(parents=True, mode=0o700)
    write_file(folder / "mono-demo" / f"serve-{os.getpid()}.json", content)


def write_file(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)


def alive_serve() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "url": "nats://127.0.0.1:5555", "pid": pid, "started": demo.began(pid),
        "since_ms": 1, "name": unique("serve"), "secret": "s",
    }


def test_the_server_is_looked_for_in_order(tmp_path: Path) -> None:
    alive = alive_serve()
    write_runtime_file(tmp_path, json.dumps(alive))
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    named = {**runtime, "NATS_URL": "nats://127.0.0.1:6666"}
    assert demo.find_url("nats://127.0.0.1:7777", named) == "nats://127.0.0.1:7777"
    assert demo.find_url(None, named) == "nats://127.0.0.1:6666"
    assert demo.find_url(None, runtime) == "nats://127.0.0.1:5555"
    assert demo.find_url(None, {"XDG_RUNTIME_DIR": str(tmp_path / "none")}) == demo.DEFAULT_URL


def test_without_a_runtime_folder_the_cache_has_the_file(tmp_path: Path) -> None:
    alive = alive_serve()
    folder = tmp_path / "mono-demo" / "run"
    folder.mkdir(parents=True, mode=0o700)
    write_file(folder / f"serve-{os.getpid()}.json", json.dumps(alive))
    assert demo.find_url(None, {"XDG_CACHE_HOME": str(tmp_path)}) == "nats://127.0.0.1:5555"


def test_a_serve_that_has_ended_is_not_used(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "mono-demo").mkdir(mode=0o700)
    dead = {**alive_serve(), "pid": ended.pid}
    write_file(tmp_path / "mono-demo" / f"serve-{ended.pid}.json", json.dumps(dead))
    assert demo.find_url(None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == demo.DEFAULT_URL


def test_another_process_of_the_same_number_is_not_used(tmp_path: Path) -> None:
    write_runtime_file(tmp_path, json.dumps({**alive_serve(), "started": 1}))
    assert demo.find_url(None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == demo.DEFAULT_URL


def test_what_others_may_write_is_not_used(tmp_path: Path) -> None:
    write_runtime_file(tmp_path, json.dumps(alive_serve()))
    (tmp_path / "mono-demo").chmod(0o777)
    assert demo.find_url(None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == demo.DEFAULT_URL


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "nope", '{"url": 1}', '{"url": "x", "pid": -1}']
)
def test_a_damaged_runtime_file_is_not_used(tmp_path: Path, content: str) -> None:
    write_runtime_file(tmp_path, content)
    assert demo.find_url(None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == demo.DEFAULT_URL


def test_colour_is_for_the_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    demo.Narrator(colour=True).heading("Math")
    demo.Narrator(colour=False).heading("Math")
    assert capsys.readouterr().out == "\n\x1b[1;36mMath\x1b[0m\n\nMath\n"
