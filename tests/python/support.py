"""What the tests share: a real `mono-demo serve`, connections to it, and a driver on a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client as NATS
from nats.aio.msg import Msg

from client import wire

ROOT = Path(__file__).resolve().parents[2]

#: Long enough for a busy machine; nothing waits this long unless it fails (seconds).
PATIENCE = 30.0
#: The first start may fetch a nats-server (seconds).
START_PATIENCE = 180.0


#: A payment of this amount is declined, for this reason.
DECLINED_AMOUNT, DECLINED_REASON = "13.13", "insufficient funds"
DECLINES = f'amount = "{DECLINED_AMOUNT}", outcome = "decline", reason = "{DECLINED_REASON}"'


def unique(prefix: str = "pay") -> str:
    """An id that no other test and no other run uses."""
    return f"{prefix}-{uuid.uuid4()}"


def binary() -> Path:
    """MONO_DEMO_BIN, else the newer of the built ones, else one that is built now."""
    if named := os.environ.get("MONO_DEMO_BIN"):
        return Path(named).absolute()
    candidates = [ROOT / "target" / profile / "mono-demo" for profile in ("release", "debug")]
    built = [path for path in candidates if path.exists()]
    if not built:
        subprocess.run(["cargo", "build"], cwd=ROOT, check=True)
        built = [path for path in candidates if path.exists()]
    return max(built, key=lambda path: path.stat().st_mtime)


@dataclass(frozen=True)
class Server:
    """A running `mono-demo serve`."""

    url: str
    pid: int
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    #: Its XDG_RUNTIME_DIR: the runtime file is in there.
    runtime_dir: Path

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def charges(self, payment_id: str) -> list[dict[str, Any]]:
        """What the simulated gateway did for one payment: its journal is kept outside NATS."""
        records = self._journal("gateway.jsonl")
        return [record for record in records if record["key"] == payment_id]

    async def sent_emails(self, mark: str, count: int) -> list[str]:
        """The recipients with `mark` that the simulated mailer sent to, once there are `count`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            records = self._journal("mailer.jsonl")
            sent = [record["to"] for record in records if mark in record["to"] and record["sent"]]
            if len(sent) >= count or time.monotonic() > deadline:
                return sent
            await asyncio.sleep(0.02)  # a file that grows can only be looked at

    def _journal(self, name: str) -> list[dict[str, Any]]:
        path = self.runtime_dir / "journal" / name
        lines = path.read_text().split("\n")[:-1]  # a line that has no end yet is being written
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """Ends it with SIGTERM, and insists on a clean exit."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        assert status == 0, f"serve ended with {status}; its log ends with:\n{self.log_tail()}"

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def start_server(folder: Path, *, port: int = 0) -> Server:
    """Starts a `serve` of its own, with its store and its runtime file in `folder`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ready, log = folder / "ready.json", folder / "serve.log"
    ready.unlink(missing_ok=True)
    env = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    env.pop("NATS_URL", None)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [
                binary(),
                "serve",
                *("--port", str(port)),
                *("--ready-file", ready),
                *("--journal-dir", folder / "journal"),
                *("--workers", "2"),
                *("--gateway", DECLINES),
            ],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=env,
        )
    deadline = time.monotonic() + START_PATIENCE
    while not ready.exists():
        status = process.poll()
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        if status is not None:
            raise AssertionError(f"serve ended with {status} before it was ready:\n{tail}")
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise AssertionError(f"serve was not ready within {START_PATIENCE:g} s:\n{tail}")
        time.sleep(0.02)  # a file that appears can only be looked for
    found = json.loads(ready.read_text())
    return Server(found["url"], found["pid"], found["name"], process, log, folder)


@contextlib.asynccontextmanager
async def connected(server: Server | str, **options: Any) -> AsyncIterator[NATS]:
    """A connection of its own to a server or URL, which comes back as soon as the server does."""

    async def on_error(_: Exception) -> None:
        pass  # the test looks at what its own calls raise

    options = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.05, **options}
    url = server if isinstance(server, str) else server.url
    nc = await nats.connect(url, error_cb=on_error, **options)
    try:
        yield nc
    finally:
        await nc.close()


class Tap:
    """Every message on a subject, as raw as it came."""

    def __init__(self) -> None:
        self.messages: list[Msg] = []
        self._arrived = asyncio.Event()

    async def _on_message(self, message: Msg) -> None:
        self.messages.append(message)
        self._arrived.set()

    async def until(self, count: int) -> list[Msg]:
        """The messages, once there are `count`; fails where they do not come."""

        async def enough() -> None:
            while len(self.messages) < count:
                self._arrived.clear()
                await self._arrived.wait()

        await asyncio.wait_for(enough(), PATIENCE)
        return self.messages

    def bodies(self) -> list[bytes]:
        return [message.data for message in self.messages]


@contextlib.asynccontextmanager
async def tapped(nc: NATS, subject: str) -> AsyncIterator[Tap]:
    tap = Tap()
    subscription = await wire.subscribe(nc, subject, tap._on_message)
    try:
        yield tap
    finally:
        await wire.unsubscribe(subscription)


async def fence(nc: NATS, subject: str, tap: Tap) -> None:
    """Returns once `tap`, on `subject`, has all that was published to it before over `nc`."""
    mark = uuid.uuid4().bytes
    await nc.publish(subject, mark)

    async def seen() -> None:
        while mark not in tap.bodies():
            await tap.until(len(tap.messages) + 1)

    await asyncio.wait_for(seen(), PATIENCE)


@contextlib.asynccontextmanager
async def slow_road(server: Server) -> AsyncIterator[str]:
    """The URL of a proxy that carries to `server` slowly, so that a writer has to wait."""

    async def carry(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float
    ) -> None:
        try:
            while chunk := await reader.read(1 << 16):
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(pause)  # what makes the road slow
        except OSError:
            pass  # one end has closed it
        finally:
            writer.close()

    roads: set[asyncio.Future[tuple[None, None]]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", server.port)
        both_ways = (carry(reader, to_server[1], 0.002), carry(to_server[0], writer, 0))
        road = asyncio.gather(*both_ways)
        roads.add(road)
        await road

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"nats://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    finally:
        proxy.close()
        if roads:
            await asyncio.wait(roads, timeout=PATIENCE)


@contextlib.contextmanager
def bare_server(folder: Path, config_text: str) -> Iterator[str]:
    """`host:port` of a nats-server, configured so."""
    doctor = subprocess.run(
        [binary(), "--json", "doctor"], capture_output=True, check=False, timeout=PATIENCE
    )
    found = json.loads(doctor.stdout)
    path = str(next(part["path"] for part in _parts(found) if "nats-server" in str(part.get("path"))))
    config = folder / "server.conf"
    config.write_text(
        f'listen: "127.0.0.1:-1"\nports_file_dir: "{folder}"\n{config_text}\n'
    )
    process = subprocess.Popen([path, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        ports = folder / f"nats-server_{process.pid}.ports"
        deadline = time.monotonic() + PATIENCE
        while not (ports.exists() and ports.read_text().endswith("}")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)  # a file that another process writes can only be looked at
        yield str(json.loads(ports.read_text())["nats"][0]).removeprefix("nats://")
    finally:
        process.kill()
        process.wait()


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _parts(one)


class Driver:
    """`python -m client.driver` in a process of its own, spoken to over its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._last_id = 0

    async def send(self, op: str, **fields: object) -> int:
        self._last_id += 1
        await self.write(json.dumps({"id": self._last_id, "op": op, **fields}))
        return self._last_id

    async def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def reply(self) -> dict[str, Any]:
        """The next line of stdout, which has to be a reply."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        reply: dict[str, Any] = json.loads(line)
        assert len(reply) == 2 and "id" in reply, reply
        assert reply.keys() & {"ok", "err", "skip"}, reply
        return reply

    async def does(self, op: str, **fields: object) -> dict[str, Any]:
        """One command and its reply, while nothing else runs."""
        command = await self.send(op, **fields)
        reply = await self.reply()
        assert reply["id"] == command
        return reply

    async def ok(self, op: str, **fields: object) -> Any:
        reply = await self.does(op, **fields)
        assert "ok" in reply, reply
        return reply["ok"]

    async def err(self, op: str, **fields: object) -> dict[str, Any]:
        reply = await self.does(op, **fields)
        assert "err" in reply, reply
        err: dict[str, Any] = reply["err"]
        return err

    async def hello(self, url: str) -> Any:
        return await self.ok("hello", protocol=1, seed=7, url=url)

    async def end(self) -> tuple[int, bytes, bytes]:
        """Ends its input; returns exit status, and the rest of stdout and stderr."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        out, err = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        assert self.process.returncode is not None
        return self.process.returncode, out, err


@contextlib.asynccontextmanager
async def driver() -> AsyncIterator[Driver]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "client.driver",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Driver(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
