"""demo.py as people run it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import demo
import pytest
from support import PATIENCE, ROOT, START_PATIENCE, Server, binary, unique

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
    installed = shutil.which("mono-demo") is not None
    assert hint == f"hint: {'mono-demo' if installed else 'cargo run --'} serve"


def test_who_installed_the_program_is_told_its_name(tmp_path: Path) -> None:
    program = tmp_path / "mono-demo"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    ended = run_demo("--nats-url", "nats://127.0.0.1:1", env={"PATH": str(tmp_path)})
    assert ended.stderr.splitlines()[1] == "hint: mono-demo serve"


@pytest.mark.parametrize(
    "url", ["nonsense", "nats://", "http://127.0.0.1:x", "nats://127.0.0.1:99999"]
)
def test_an_unreadable_url_is_no_traceback(url: str) -> None:
    ended = run_demo("--nats-url", url)
    assert ended.returncode == 3
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr


def test_a_url_of_a_web_server_is_told_which_schemes_there_are() -> None:
    ended = run_demo("--server", "http://x")
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[0].endswith(
        "not a NATS URL: http:// is that of a web server, and its scheme is none of "
        "nats://, tls://, ws://, wss://"
    )


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
    assert "`mono-demo doctor --fix`" in hint


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


class Stranger:
    """A false server: lets everybody in, and records what it is sent."""

    def __init__(self, port: int, name: str) -> None:
        self.heard = ""
        self._info = {
            "server_id": "S", "server_name": name, "version": "2.15.1", "proto": 1, "headers": True,
            "host": "127.0.0.1", "port": port, "max_payload": 1 << 20, "auth_required": True,
        }
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._listener = socket.create_server(("127.0.0.1", port))
                break
            except OSError:  # the broker that was killed still has it
                assert time.monotonic() < deadline
                time.sleep(0.01)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            stream, _ = self._listener.accept()
            threading.Thread(target=self._talk, args=(stream,), daemon=True).start()

    def _talk(self, stream: socket.socket) -> None:
        with stream, stream.makefile("rwb") as lines:
            lines.write(f"INFO {json.dumps(self._info)}\r\n".encode())
            lines.flush()
            for line in lines:
                self.heard += line.decode()
                if line == b"PING\r\n":
                    lines.write(b"PONG\r\n")
                    lines.flush()


def test_a_server_that_is_not_trusted_is_no_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dial(servers: list[str], login: object, causes: list[str]) -> NoReturn:
        causes.append("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
        raise OSError("no servers available")

    monkeypatch.setattr(demo, "dial", dial)
    with pytest.raises(demo.Refused, match="is not trusted"):
        asyncio.run(demo.connect("tls://127.0.0.1:4222", {}))


def test_a_server_that_is_not_trusted_is_asked_once(asked_again: list[str]) -> None:
    with pytest.raises(demo.Refused, match="is not trusted"):
        asyncio.run(demo.connect("tls://127.0.0.1:4222", {}))
    assert asked_again == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("", "no PEM of a certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n", "no PEM of a certificate"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "no PEM of a certificate"),
    ],
)
def test_an_authority_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None, words: str
) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    ended = run_demo("--math-only", "--server", "tls://127.0.0.1:1", env={"NATS_CA": str(ca)})
    assert ended.returncode == 2, ended.stderr
    error, hint = ended.stderr.splitlines()
    assert error.startswith(f"error: the authority {ca}: ") and words in error, error
    assert hint.startswith("hint: NATS_CA names a file"), hint


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A `serve` that asks for a login, and what its ready file says."""
    ready = folder / "ready.json"
    env = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder)}
    serve = subprocess.Popen(
        [binary(), "serve", "--port", "0", "--auth", "--ready-file", ready],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_PATIENCE
        while not ready.exists():
            assert serve.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        yield serve, json.loads(ready.read_text())
    finally:
        serve.kill()
        serve.wait()


def test_a_server_that_refuses_is_no_missing_one(tmp_path: Path) -> None:
    with guarded(tmp_path) as (_, said):
        worker = json.loads((Path(said["contexts"]) / "worker.json").read_text())
        strangers: list[tuple[dict[str, str], str]] = [
            ({}, "refused the login"),
            ({"NATS_USER": "client", "NATS_PASSWORD": "wrong"}, "refused the login"),
            ({"NATS_USER": "worker", "NATS_PASSWORD": worker["password"]}, "permissions violation"),
        ]
        for login, words in strangers:
            ended = run_demo("--math-only", "--server", said["url"], env=login)
            assert ended.returncode == 8, ended.stderr
            error, hint = ended.stderr.splitlines()
            assert words in error.lower() and "no NATS server" not in error, error
            assert hint.startswith("hint: name a user with NATS_USER"), hint


def test_a_stranger_in_the_place_of_a_serve_is_shown_no_password(tmp_path: Path) -> None:
    with guarded(tmp_path) as (serve, said):
        found = run_demo("--math-only", env={"XDG_RUNTIME_DIR": str(tmp_path)})
        assert (found.returncode, found.stderr) == (0, "")
        contexts = Path(said["contexts"])
        passwords = [
            json.loads((contexts / f"{role}.json").read_text())["password"]
            for role in ("client", "worker", "harness")
        ]
        os.kill(serve.pid, signal.SIGSTOP)
        brokers = [pid for pid in processes_of(tmp_path) if "nats-server" in pid[1]]
        assert len(brokers) == 1
        os.kill(brokers[0][0], signal.SIGKILL)
        stranger = Stranger(int(said["url"].rpartition(":")[2]), said["name"])
        run_demo("--math-only", env={"XDG_RUNTIME_DIR": str(tmp_path)})
        assert "CONNECT" in stranger.heard
        assert not [password for password in passwords if password in stranger.heard]


def processes_of(folder: Path) -> list[tuple[int, str]]:
    """Pid and program of each process whose command line names this folder."""
    found = []
    for proc in Path("/proc").iterdir():
        try:
            if proc.name.isdigit() and str(folder) in (proc / "cmdline").read_text():
                found.append((int(proc.name), os.path.basename(os.readlink(proc / "exe"))))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME"])
def test_a_relative_folder_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for folder in ("mono-demo", "mono-demo/run", ".cache", ".cache/mono-demo/run"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(tmp_path / folder / f"serve-{os.getpid()}.json", json.dumps(alive_serve()))
    monkeypatch.chdir(tmp_path)
    home = {} if variable == "HOME" else {"HOME": str(tmp_path / "none")}
    assert demo.find_url(None, {**home, variable: "."}) == demo.DEFAULT_URL


def test_without_home_the_password_database_says_where() -> None:
    import pwd

    home = pwd.getpwuid(os.getuid()).pw_dir
    assert demo.runtime_folder({}) == Path(home) / ".cache/mono-demo/run"


def test_what_cannot_be_written_is_one_message(server: Server) -> None:
    """A full disk behind stdout is exit 3, and no traceback."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, ROOT / "demo.py", "--math-only", "--nats-url", server.url],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE * 2,
        )
    assert (ended.returncode, ended.stderr) == (
        3,
        "error: write to stdout: No space left on device\n",
    )
