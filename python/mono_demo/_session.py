"""Everything that one process has started through `mono-demo control`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from mono_demo._broker import Broker, Cluster, Connectable
from mono_demo._pipe import Pipe
from mono_demo._proxy import Proxy
from mono_demo._service import Service

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True


class Session:
    """Brokers and services that are gone when this is closed, or when this process ends, however.

    All methods can be used by several threads; each returns once what it asks for is there. In a
    coroutine ``await asyncio.to_thread(broker.restart)`` lets others run meanwhile.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        """Starts `mono-demo control`; ``env`` is added to its environment."""
        self._pipe = Pipe(env)

    def broker(self, name: str | None = None, **settings: Any) -> Broker:
        """Starts a nats-server, and returns once a client was served by it.

        ``settings`` are those of `BrokerSettings` in `docs/control.md`: ``jetstream``, ``port``, ``user``
        and ``password``, ``token``, ``tls``, ``accounts``, ``config``, ``max_payload``, ``store``,
        ``store_from``, ``ready_within_ms``.
        """
        answer = self._pipe.call("broker.start", name=name, settings=_paths(settings))
        return Broker(self._pipe, answer)

    def cluster(
        self, nodes: int = 3, name: str | None = None, *, partitions: bool = False, **settings: Any
    ) -> Cluster:
        """Starts several that replicate each other's streams; ``settings`` as for :meth:`broker`.

        With ``partitions`` nodes can be cut off from each other, by :meth:`Cluster.isolate`.
        """
        answer = self._pipe.call(
            "cluster.start",
            name=name,
            nodes=nodes,
            partitions=partitions or None,
            settings=_paths(settings),
        )
        return Cluster(self._pipe, answer)

    def service(
        self,
        run: Sequence[str],
        *,
        of: Connectable | Proxy | None = None,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        ready: Mapping[str, str | int] | None = None,
        ready_within_ms: int | None = None,
        stop_within_ms: int | None = None,
    ) -> Service:
        """Starts a program, and returns once it is ready.

        ``of`` is where ``NATS_URL`` of its environment leads. ``ready`` is ``{"line": "text"}``,
        ``{"port": 8080}``, ``{"http": "http://127.0.0.1:8080/health"}``, ``{"subject": "orders.ping"}`` or
        ``{"service": "orders"}``.
        """
        answer = self._pipe.call(
            "service.start",
            run=list(run),
            of=of.name if of else None,
            name=name,
            env=dict(env) if env else None,
            cwd=os.path.abspath(cwd or "."),
            ready=dict(ready) if ready else None,
            ready_within_ms=ready_within_ms,
            stop_within_ms=stop_within_ms,
        )
        return Service(self._pipe, answer)

    def logs(self) -> dict[str, list[str]]:
        """The last lines of each broker and service."""
        return {log["name"]: log["lines"] for log in self._pipe.call("logs")["logs"]}

    def status(self) -> list[dict[str, Any]]:
        """All that was started and not stopped: ``name``, ``kind``, ``state``, ``url``."""
        return list(self._pipe.call("status")["things"])

    def stop(self) -> dict[str, str]:
        """Stops everything in order; says how each ended."""
        return {ended["name"]: ended["how"] for ended in self._pipe.call("stop")["stopped"]}

    def close(self) -> None:
        """Ends everything at once, and returns when all is gone."""
        self._pipe.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _paths(settings: dict[str, Any]) -> dict[str, Any]:
    """Relative ones are meant from where this process is."""
    whole = dict(settings)
    for name in ("store", "store_from"):
        if whole.get(name) is not None:
            whole[name] = os.path.abspath(whole[name])
    if whole.get("tls"):
        whole["tls"] = {name: os.path.abspath(path) for name, path in whole["tls"].items()}
    return whole
