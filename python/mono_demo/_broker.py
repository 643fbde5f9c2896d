"""Handles to brokers, clusters and accounts."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mono_demo._handle import Handle
from mono_demo._history import History
from mono_demo._process import Process
from mono_demo._proxy import Proxy

if TYPE_CHECKING:
    from nats.aio.client import Client

    from mono_demo._pipe import Pipe

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True


class Connectable(Handle):
    """Something that clients connect to."""

    def __init__(self, pipe: Pipe, name: str, url: str, ca: str | None) -> None:
        super().__init__(pipe, name)
        #: Where clients connect, with what they must show; the same after a restart.
        self.url = url
        #: The authority of the server's certificate, where clients must speak TLS.
        self.ca = ca

    async def connect(self, **options: Any) -> Client:
        """A connection of nats-py; ``options`` are those of ``nats.connect``.

        After a fault it tries again every 0.1 s rather than every 2 s, unless ``options`` say otherwise.
        """
        import nats

        if self.ca is not None:
            options.setdefault("tls", ssl.create_default_context(cafile=self.ca))
        options.setdefault("reconnect_time_wait", 0.1)
        return await nats.connect(self.url.split(","), **options)

    def stream(self, name: str, subjects: list[str], **config: Any) -> dict[str, Any]:
        """Creates a stream; ``config`` is more of JetStream's own configuration."""
        whole = {"name": name, "subjects": subjects, **config}
        created: dict[str, Any] = self._pipe.call("stream.create", of=self.name, config=whole)
        return created

    def bucket(
        self,
        name: str,
        *,
        history: int | None = None,
        ttl_ms: int | None = None,
        replicas: int | None = None,
    ) -> None:
        """Creates a key-value bucket."""
        self._pipe.call(
            "kv.create", of=self.name, bucket=name, history=history, ttl_ms=ttl_ms, replicas=replicas
        )

    def proxy(self, name: str | None = None, *, port: int | None = None, seed: int = 0) -> Proxy:
        """A network in front of it that can be broken; clients connect to its ``url``."""
        proxy = self._pipe.call("proxy.start", of=self.name, name=name, port=port, seed=seed)
        return Proxy(self._pipe, proxy["name"], proxy["url"], self.ca)

    def history(
        self,
        name: str | None = None,
        *,
        dir: str | os.PathLike[str] | None = None,
        **promises: Mapping[str, Any],
    ) -> History:
        """Begins a history; ``promises`` are tables as ``[promise.NAME]`` of a suite, by name.

        ``dir`` is where effects in files are, and where commands run.
        """
        named = {promise.replace("_", "-"): dict(table) for promise, table in promises.items()}
        answer = self._pipe.call(
            "history.begin", of=self.name, name=name, promises=named, dir=os.path.abspath(dir or ".")
        )
        return History(self._pipe, answer)

    def leaks(self) -> dict[str, Any]:
        """What clients hold there: ``connections`` and ``consumers``, as `docs/control.md` has them."""
        leaks: dict[str, Any] = self._pipe.call("leaks", of=self.name)
        return leaks


class Account(Connectable):
    """Subjects and streams of its own, in a broker that others use too."""

    def __init__(self, pipe: Pipe, broker: Broker, answer: dict[str, Any]) -> None:
        super().__init__(pipe, answer["name"], answer["url"], broker.ca)
        #: The broker, which others use too.
        self.broker = broker
        self.user: str = answer["user"]
        self.password: str = answer["password"]


class Broker(Connectable, Process):
    """A nats-server of one's own."""

    def __init__(self, pipe: Pipe, answer: dict[str, Any]) -> None:
        super().__init__(pipe, answer["name"], answer["url"], answer.get("ca"))
        #: The port in ``url``.
        self.port: int = answer["port"]
        self.pid = answer["pid"]
        #: The version of nats-server, as ``"2.15.1"``.
        self.version: str = answer["version"]
        #: Its whole log, as long as it is there.
        self.log_file = Path(answer["log"])

    def lame_duck(self) -> None:
        """It sends its clients away and ends; it stays away until :meth:`restart`."""
        self._fault("lame-duck")

    def account(self, name: str | None = None) -> Account:
        """An account of its own, where the broker was started with ``accounts=True``."""
        return Account(self._pipe, self, self._pipe.call("account.create", of=self.name, name=name))

    def keep(self, into: str | os.PathLike[str]) -> None:
        """Copies log and store into a folder that stays; ``store_from`` starts another one from it."""
        self._pipe.call("keep", of=self.name, into=os.path.abspath(into))


class Cluster(Connectable):
    """Several nats-servers that replicate each other's streams; nodes are counted from 0."""

    def __init__(self, pipe: Pipe, answer: dict[str, Any]) -> None:
        nodes = answer["nodes"]
        super().__init__(pipe, answer["name"], answer["url"], nodes[0].get("ca"))
        #: Where each node listens.
        self.urls: list[str] = [node["url"] for node in nodes]

    def kill(self, node: int) -> None:
        """SIGKILL to a node; it stays away until :meth:`restart` or :meth:`heal`."""
        self._fault("kill", node=node)

    def shut_down(self, node: int) -> None:
        """SIGTERM to a node, which hands over what it leads first."""
        self._fault("stop", node=node)

    def restart(self, node: int) -> None:
        """Starts a node again."""
        self._fault("restart", node=node)

    def pause(self, node: int) -> None:
        """SIGSTOP to a node."""
        self._fault("pause", node=node)

    def resume(self, node: int) -> None:
        """SIGCONT to a node."""
        self._fault("resume", node=node)

    def wipe(self, node: int) -> None:
        """SIGKILL to a node, which loses its disk."""
        self._fault("wipe", node=node)

    def isolate(self, node: int) -> None:
        """Cuts a node off from the others until :meth:`heal`; its clients stay with it.

        The cluster was started with ``partitions=True``.
        """
        self._fault("isolate", node=node)

    def kill_leader(self, stream: str) -> int:
        """SIGKILL to the node that leads a stream; says which."""
        return int(self._fault("kill-leader", stream=stream)["nodes"][0])

    def lose_quorum(self) -> list[int]:
        """SIGKILL to as many nodes as leave less than a majority; says which."""
        return list(self._fault("lose-quorum")["nodes"])

    def heal(self) -> None:
        """All nodes are up again and have caught up."""
        self._fault("heal")

    def logs(self) -> dict[str, list[str]]:
        """The last lines of each node's log."""
        logs = self._pipe.call("logs", of=self.name)["logs"]
        return {log["name"]: log["lines"] for log in logs}
