"""The logins in URLs: each goes to its own server, decoded, and is never shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, ROOT, bare_server, binary, driver

from client.login import by_login, without_login

ROWS = json.loads((ROOT / "tests" / "vectors" / "logins.json").read_text())["rows"]
USER, PASSWORD, ENCODED = "a b", "p@:/,%#?w", "a%20b:p%40%3A%2F%2C%25%23%3Fw"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["url"])
def test_each_server_is_shown_the_login_of_its_own_url(row: dict[str, Any]) -> None:
    assert without_login(row["url"]) == row["shown"]
    if row.get("refused"):
        with pytest.raises(ValueError) as refused:
            by_login(row["url"])
        assert not re.search("secret|more", str(refused.value))
        return
    found = [
        {"url": server, **login} for servers, login in by_login(row["url"]) for server in servers
    ]
    assert found == row["servers"]


def test_a_user_that_is_given_is_for_those_whose_url_carries_none() -> None:
    assert by_login("nats://a,nats://t@b,nats://c", "u", "p") == [
        (["nats://a", "nats://c"], {"user": "u", "password": "p"}),
        (["nats://b"], {"token": "t"}),
    ]
    with pytest.raises(ValueError, match="UTF-8"):
        by_login("nats://%ff@h")


def authorization() -> str:
    return "authorization " + json.dumps({"users": [{"user": USER, "password": PASSWORD}]})


def demo(**env: str) -> str:
    """What it says, out and err."""
    names = ("NATS_URL", "XDG_RUNTIME_DIR", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, str(ROOT / "demo.py")]
    said = subprocess.run(
        command, env={**kept, **env}, capture_output=True, text=True, check=False, timeout=60
    )
    return said.stdout + said.stderr


async def test_hello_shows_a_login_decoded_and_never_prints_it(tmp_path: Path) -> None:
    with bare_server(tmp_path, authorization()) as host:
        good, dead = f"nats://{ENCODED}@{host}", "nats://x:y@127.0.0.1:1"
        for url in (good, f"{dead},{good}"):
            async with driver() as remote:
                assert (await remote.hello(url))["name"] == "python"
        async with driver() as remote:
            err = await remote.err("hello", protocol=1, seed=1, url=good.replace("%40", "wrong"))
            assert (err["kind"], "wrong" in err["message"]) == ("permissions", False), err
        async with driver() as remote:
            await remote.ok(
                "hello", protocol=1, seed=1, url=f"nats://{host}", user=USER, password=PASSWORD
            )


def test_the_demo_shows_a_login_decoded_and_never_prints_it(tmp_path: Path) -> None:
    with bare_server(tmp_path, authorization()) as host:
        good, dead = f"nats://{ENCODED}@{host}", "nats://x:y@127.0.0.1:1"
        # It is let in: what it misses is a service.
        for url in (good, f"{dead},{good}"):
            said = demo(NATS_URL=url)
            assert "does not run the services" in said, said
            assert ENCODED not in said and "x:y" not in said, said
        said = demo(NATS_URL=good.replace("%40", "wrong"))
        assert "authorization" in said.lower() and "wrong" not in said, said


def test_the_demo_finds_a_serve_that_joined_with_a_login_in_its_url(tmp_path: Path) -> None:
    store = f'jetstream {{ store_dir: "{tmp_path / "store"}" }}'
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    with bare_server(tmp_path, f"{authorization()}\n{store}") as host:
        env = {**os.environ, "XDG_RUNTIME_DIR": str(run)}
        ready = tmp_path / "ready"
        flags = ("-s", f"nats://{ENCODED}@{host}", "--ready-file", str(ready))
        command = [str(binary()), "serve", *flags, "--journal-dir", str(tmp_path / "journal")]
        serve = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + PATIENCE
            while not ready.exists():
                assert serve.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)  # it is another process's file
            said = demo(XDG_RUNTIME_DIR=str(run))
            assert "All as told." in said, said
        finally:
            serve.terminate()
            assert serve.wait(PATIENCE) == 0
