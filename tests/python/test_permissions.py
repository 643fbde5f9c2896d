"""What a real server refuses, and allows again: what the driver makes of it."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from support import PATIENCE, Driver, bare_server, driver

USER = {"user": "u", "password": "p"}
#: Subjects that the server quotes otherwise than they are.
QUOTED = ["deny", "DeNy", 'de"ny', "de\\ny", "de\u00adny", "de\u200bny", "de\U000e0001ny"]


def allowed(*subjects: str, **options: object) -> str:
    """Of the one user, who may publish and subscribe to these."""
    permissions = {"publish": list(subjects), "subscribe": list(subjects)}
    authorization = {"users": [{**USER, "permissions": permissions}]}
    lines = [f"{name}: {json.dumps(value)}" for name, value in options.items()]
    return "\n".join([f"authorization {json.dumps(authorization)}", *lines])


def reload(folder: Path, host: str, config: str) -> None:
    """Lets the server in `folder` read another configuration."""
    head = f'listen: "{host}"\nports_file_dir: "{folder}"'
    (folder / "server.conf").write_text(f"{head}\n{config}\n")
    ports = next(folder.glob("nats-server_*.ports"))
    os.kill(int(ports.stem.removeprefix("nats-server_")), signal.SIGHUP)


async def login(remote: Driver, host: str) -> None:
    await remote.ok("hello", protocol=1, seed=1, url=f"nats://{host}", **USER)


async def asked(remote: Driver) -> dict[str, Any]:
    """What comes of a request that nobody answers."""
    message = {"subject": "ok.nobody", "payload_base64": ""}
    return await remote.err("request", **message, timeout_ms=int(PATIENCE * 1000))


async def until(remote: Driver, kind: str) -> dict[str, Any]:
    """A reload is done when its effect is seen."""
    deadline = time.monotonic() + PATIENCE
    while (err := await asked(remote))["kind"] != kind:
        assert time.monotonic() < deadline, f"it stays {err}"
    return err


async def test_a_refusal_reaches_its_operation_however_the_subject_is_quoted(
    tmp_path: Path,
) -> None:
    with bare_server(tmp_path, allowed("ok.>", "_INBOX.>")) as host:
        async with driver() as remote:
            await login(remote, host)
            for subject in QUOTED:
                message = {"subject": subject, "payload_base64": ""}
                for told in (
                    await remote.err("publish", **message),
                    await remote.err("request", **message, timeout_ms=int(PATIENCE * 1000)),
                    await remote.err("subscribe", subject=subject),
                    await remote.err("subscribe", subject=subject, queue_group='q"x'),
                ):
                    assert (told["kind"], told["definite"]) == ("permissions", True), told


async def test_a_subject_of_too_many_tokens_is_a_refused_subscription(tmp_path: Path) -> None:
    config = allowed(">", max_subscription_tokens=3)
    with bare_server(tmp_path, config) as host:
        async with driver() as remote:
            await login(remote, host)
            told = await remote.err("subscribe", subject="a.b.c.d")
            assert (told["kind"], told["definite"]) == ("permissions", True), told
            await remote.ok("subscribe", subject="a.b.c")


async def test_an_inbox_that_is_allowed_again_gets_answers_again(tmp_path: Path) -> None:
    with bare_server(tmp_path, allowed(">")) as host:
        async with driver() as remote:
            await login(remote, host)
            assert (await asked(remote))["kind"] == "no_responders"
            reload(tmp_path, host, allowed("ok.>"))
            assert not (await until(remote, "permissions"))["definite"]
            reload(tmp_path, host, allowed(">"))
            await until(remote, "no_responders")


async def test_a_password_that_is_changed_and_changed_back_costs_no_connection(
    tmp_path: Path,
) -> None:
    with bare_server(tmp_path, allowed(">")) as host:
        async with driver() as remote:
            await login(remote, host)
            reload(tmp_path, host, allowed(">").replace('"p"', '"other"'))
            subject = {"subject": "ok.nobody", "payload_base64": base64.b64encode(b"x").decode()}
            for _ in range(1000):
                told = await remote.does("request", **subject, timeout_ms=100)
                if told["err"]["kind"] == "connection":
                    break
            assert told["err"]["kind"] == "connection", told
            # Twice refused, at least, before it may come back.
            told = await remote.does("request", **subject, timeout_ms=500)
            assert "closed" not in told["err"]["message"], told
            reload(tmp_path, host, allowed(">"))
            assert (await asked(remote))["kind"] == "no_responders"
