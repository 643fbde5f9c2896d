"""Fixtures of pytest: real brokers, clusters and services, each gone when its test is.

==========================  =====================================================================
``nats_broker``             a broker of the test's own; ``@pytest.mark.nats(...)`` has its settings
``nats_session_broker``     an account of the test's own, in a broker of the whole session
``nats_brokers``            starts more brokers of the test's own
``nats_cluster``            three brokers that replicate each other's streams
``nats_services``           starts programs beside the test's broker
``nats_history``            what the test does and what was promised, judged at its end at the latest
``nats_connection``         a connection of nats-py to the test's broker, for coroutines
``mono_demo_session``       all of the above by hand, for the whole session
==========================  =====================================================================
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from mono_demo._broker import Account, Broker, Cluster, Connectable
from mono_demo._handle import Handle
from mono_demo._history import BrokenPromise, History
from mono_demo._pipe import MonoDemoError
from mono_demo._proxy import Proxy
from mono_demo._service import Service
from mono_demo._session import Session

if TYPE_CHECKING:
    from nats.aio.client import Client

#: pytest shows the line of the test, and none of this file.
__tracebackhide__ = True

#: Of a test: what it uses, with a function that tells the last lines of its log.
_USED = pytest.StashKey[list[tuple[Handle, Callable[[], Mapping[str, Sequence[str]]]]]]()

#: So many lines of each log are shown of a test that failed.
_LINES = 20

#: Of a run: whether something was kept already.
_KEPT = pytest.StashKey[bool]()

#: What one test may have as its broker, in the order of preference.
_BROKERS = ("nats_broker", "nats_session_broker", "nats_cluster")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mono-demo", "brokers and services for tests")
    group.addoption(
        "--mono-keep",
        action="store_true",
        help="leave brokers and services of the first failing test up until Enter or Ctrl-C",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "nats(**settings): settings of the broker or cluster of this test, as jetstream=False, "
        "config='...', user=..., password=..., store_from=..., nodes=5 (mono-demo)",
    )
    if config.getoption("--mono-keep") and (
        hasattr(config, "workerinput") or getattr(config.option, "numprocesses", None)
    ):
        raise pytest.UsageError("--mono-keep: it waits for you, which several processes cannot")


@pytest.fixture(scope="session")
def mono_demo_session() -> Iterator[Session]:
    """All that this run of pytest starts; gone at its end, also where it is killed."""
    session = Session()
    try:
        yield session
    finally:
        # In order: what is killed may leave something undone.
        with contextlib.suppress(MonoDemoError):
            session.stop()
        session.close()


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the test's markers say; the nearest one wins."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("nats"))):
        if marker.args:
            raise pytest.UsageError(f"nats{marker.args!r}: settings of a broker have names")
        settings.update(marker.kwargs)
    return settings


def _used(
    request: pytest.FixtureRequest, thing: Handle, log: Callable[[], Mapping[str, Sequence[str]]]
) -> None:
    request.node.stash.setdefault(_USED, []).append((thing, log))


@contextlib.contextmanager
def _until_the_end(thing: Handle) -> Iterator[None]:
    try:
        yield
    finally:
        # A test may have stopped it.
        try:
            thing.stop()
        except MonoDemoError as error:
            if error.kind != "no_such":
                raise


def _stop_all(started: list[Any]) -> None:
    """The last one first, and all of them, whatever becomes of one."""
    with contextlib.ExitStack() as all_of_them:
        while started:
            all_of_them.enter_context(_until_the_end(started.pop(0)))


@pytest.fixture
def nats_broker(
    mono_demo_session: Session, request: pytest.FixtureRequest
) -> Iterator[Broker]:
    """A broker of this test's own, with JetStream: ``.url``, ``.kill()``, ``.restart()``, ``.proxy()``."""
    broker = mono_demo_session.broker(**_settings(request))
    _used(request, broker, lambda: {broker.name: broker.log()})
    with _until_the_end(broker):
        yield broker


@pytest.fixture(scope="session")
def _nats_broker_of_the_session(mono_demo_session: Session) -> Broker:
    return mono_demo_session.broker(accounts=True)


@pytest.fixture
def nats_session_broker(
    _nats_broker_of_the_session: Broker, request: pytest.FixtureRequest
) -> Iterator[Account]:
    """An account of this test's own in a broker of the whole session: there in a few milliseconds."""
    if settings := _settings(request):
        raise pytest.UsageError(
            f"nats({', '.join(settings)}): the broker of the session is there already; "
            "`nats_broker` takes settings"
        )
    broker = _nats_broker_of_the_session
    account = broker.account()
    _used(request, account, lambda: {broker.name: broker.log()})
    with _until_the_end(account):
        yield account


@pytest.fixture
def nats_cluster(
    mono_demo_session: Session, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    """Three brokers that replicate each other's streams; ``@pytest.mark.nats(nodes=5)`` for more."""
    cluster = mono_demo_session.cluster(**_settings(request))
    _used(request, cluster, cluster.logs)
    with _until_the_end(cluster):
        yield cluster


class Brokers:
    """Starts brokers for one test; they are stopped when it is over."""

    def __init__(self, session: Session, request: pytest.FixtureRequest) -> None:
        self._session, self._request = session, request
        self._started: list[Broker] = []

    def start(self, name: str | None = None, **settings: Any) -> Broker:
        """As :meth:`mono_demo.Session.broker`."""
        broker = self._session.broker(name, **settings)
        self._started.append(broker)
        _used(self._request, broker, lambda: {broker.name: broker.log()})
        return broker

    def stop(self) -> None:
        """Stops all of them."""
        _stop_all(self._started)


@pytest.fixture
def nats_brokers(mono_demo_session: Session, request: pytest.FixtureRequest) -> Iterator[Brokers]:
    """Starts more brokers of this test's own: ``other = nats_brokers.start()``."""
    brokers = Brokers(mono_demo_session, request)
    try:
        yield brokers
    finally:
        brokers.stop()


class Services:
    """Starts programs for one test; they are stopped in order before its broker is."""

    def __init__(self, session: Session, request: pytest.FixtureRequest) -> None:
        self._session, self._request = session, request
        self._started: list[Service] = []

    def start(
        self, run: Sequence[str], *, of: Connectable | Proxy | None = None, **more: Any
    ) -> Service:
        """As :meth:`mono_demo.Session.service`; ``of`` is the test's broker unless it says another."""
        service = self._session.service(run, of=of or _broker_of(self._request), **more)
        self._started.append(service)
        _used(self._request, service, lambda: {service.name: service.log()})
        return service

    def stop(self) -> None:
        """Stops all of them."""
        _stop_all(self._started)


def _broker_of(request: pytest.FixtureRequest) -> Connectable:
    """The one that the test asks for; else one of its own."""
    for name in _BROKERS:
        if name in request.fixturenames:
            return request.getfixturevalue(name)  # type: ignore[no-any-return]
    return request.getfixturevalue("nats_broker")  # type: ignore[no-any-return]


@pytest.fixture
def _nats_broker_of_the_test(request: pytest.FixtureRequest) -> Connectable:
    return _broker_of(request)


@pytest.fixture
def nats_services(
    mono_demo_session: Session,
    _nats_broker_of_the_test: Connectable,
    nats_brokers: Brokers,  # they are stopped after what is beside them
    request: pytest.FixtureRequest,
) -> Iterator[Services]:
    """Starts programs beside the test's broker: ``nats_services.start(["python", "orders.py"])``."""
    services = Services(mono_demo_session, request)
    try:
        yield services
    finally:
        services.stop()


@pytest.fixture
def nats_history(
    _nats_broker_of_the_test: Connectable, nats_services: Services
) -> Iterator[Callable[..., History]]:
    """Begins a history at the test's broker: ``history = nats_history(order={...})``.

    One that the test has not judged must hold when it ends; the services of the test are there until then.
    """
    begun: list[History] = []

    def begin(**more: Any) -> History:
        begun.append(_nats_broker_of_the_test.history(**more))
        return begun[-1]

    yield begin
    # Each is judged, whatever becomes of the others.
    wrong: list[Exception] = []
    for history in begun:
        try:
            if not history.is_judged:
                history.must_hold()
        except (BrokenPromise, MonoDemoError) as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise AssertionError("\n\n".join(map(str, wrong)))


async def _connection(_nats_broker_of_the_test: Connectable) -> AsyncIterator[Client]:
    """A connection of nats-py to the test's broker.

    pytest-asyncio runs it where that is installed, else the plugin of anyio. In a test of another kind
    ``await nats_broker.connect()`` does the same.
    """
    client = await _nats_broker_of_the_test.connect()
    try:
        yield client
    finally:
        await client.close()


def _async_fixture() -> Any:
    try:
        return importlib.import_module("pytest_asyncio").fixture
    except ImportError:
        return pytest.fixture


nats_connection = _async_fixture()(name="nats_connection")(_connection)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and report.when in ("setup", "call"):
        used = item.stash.get(_USED, [])
        for _, log in used:
            # The reason of the failure may be that nothing answers any more.
            with contextlib.suppress(MonoDemoError):
                for name, lines in log().items():
                    report.sections.append((f"last lines of {name}", "\n".join(lines[-_LINES:])))
        if used and item.config.getoption("--mono-keep"):
            _keep(item, [thing for thing, _ in used])
    return report


def _keep(item: pytest.Item, used: list[Handle]) -> None:
    """Waits, the first time only, while everything stands as the test has left it."""
    if item.config.stash.get(_KEPT, False):
        return
    item.config.stash[_KEPT] = True
    capture: Any = item.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        capture and capture.suspend(in_=True)
        try:
            lines = [f"\n{item.nodeid} failed, and is kept:"]
            for thing in used:
                where = getattr(thing, "url", None) or f"process {getattr(thing, 'pid', '?')}"
                lines.append(f"  {thing.name}: {where}")
            print(*lines, "Enter goes on, Ctrl-C ends the run.", sep="\n", flush=True)
            if sys.stdin is not None and os.isatty(0):
                os.read(0, 1)
            else:
                threading.Event().wait()
        finally:
            capture and capture.resume()
