"""One real `mono-demo serve` a session, and tests that may be coroutines."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest
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
