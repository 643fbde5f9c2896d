"""One real `mono-demo serve` a session, and tests that may be coroutines."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client as NATS
from support import Server, start_server

#: No test takes this long unless it hangs (seconds).
TEST_TIMEOUT = 120.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), TEST_TIMEOUT))
    return True


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The services, for tests that leave them running."""
    running = start_server(tmp_path_factory.mktemp("serve"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def asked_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No server is trusted; those are listed that are asked once more all the same."""
    again: list[str] = []

    async def connect(_: NATS, servers: list[str], *, error_cb: Any, **_more: object) -> None:
        await error_cb(ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED"))
        for _turn in range(10):
            await asyncio.sleep(0)
        again.extend(servers)
        raise OSError("no servers available")

    monkeypatch.setattr(NATS, "connect", connect)
    return again
