"""The plugin of pytest, as others use it: each test runs pytest on files of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mono_demo
import pytest
from support import PATIENCE, ROOT, binary

#: What every inner pytest is told.
ARGS = ("-p", "mono_demo.pytest_plugin", "-p", "no:cacheprovider")

#: Where a nats-server was installed; `pytester` has a home of its own.
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """Where files of tests are written and run; no process and no folder of theirs is left."""
    temporary = pytester.path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("MONO_DEMO_BIN", str(binary()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "python"))
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE)
    monkeypatch.setenv("TMPDIR", str(temporary))
    for name in ("CI", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    yield pytester
    assert left(pytester) == []


def left(pytester: pytest.Pytester) -> list[str]:
    """What lies in the temporary folder, and who was started from it."""
    temporary = pytester.path / "tmp"
    folders = [path.name for path in temporary.glob("mono-demo*")]
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(temporary) in command:
            processes.append(command.replace("\0", " "))
    return folders + processes


def until_gone(pytester: pytest.Pytester) -> None:
    """Processes of others cannot be awaited: they are looked for."""
    deadline = time.monotonic() + PATIENCE
    while left(pytester):
        assert time.monotonic() < deadline, left(pytester)
        time.sleep(0.01)


def run(inner: pytest.Pytester, *more: str) -> pytest.RunResult:
    return inner.runpytest_subprocess(*ARGS, *more)


def test_a_broker_for_each_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import asyncio, os
        import nats, pytest

        seen = []

        async def count(broker):
            client = await broker.connect()
            count = (await client.jetstream().stream_info("S")).state.messages
            await client.close()
            return count

        def test_what_is_stored_survives_a_kill(nats_broker):
            nats_broker.stream("S", ["s"])
            async def publish():
                client = await nats.connect(nats_broker.url)
                await client.jetstream().publish("s", b"1")
                await client.close()
            asyncio.run(publish())
            pid = nats_broker.pid
            nats_broker.kill()
            nats_broker.restart()
            assert nats_broker.pid != pid
            assert asyncio.run(count(nats_broker)) == 1
            seen.append(nats_broker)

        def test_another_one_is_empty(nats_broker):
            nats_broker.stream("S", ["s"])
            assert asyncio.run(count(nats_broker)) == 0
            assert nats_broker.url != seen[0].url
            # That of the other test is gone.
            assert not os.path.exists(f"/proc/{seen[0].pid}")

        def test_a_network_that_is_bad(nats_broker):
            nats_broker.stream("S", ["s"])
            proxy = nats_broker.proxy()
            async def go():
                client = await nats.connect(proxy.url)
                proxy.lose("pub-ack", subject="s")
                with pytest.raises(nats.errors.TimeoutError):
                    await client.jetstream().publish("s", b"1", timeout=0.1)
                await client.jetstream().publish("s", b"2")
                await client.close()
            asyncio.run(go())
            assert asyncio.run(count(nats_broker)) == 2

        def test_who_is_paused_goes_on(nats_broker):
            with nats_broker.paused():
                pass
            nats_broker.stream("S", ["s"])
            assert asyncio.run(count(nats_broker)) == 0

        def test_what_is_kept_can_be_begun_with(nats_broker, mono_demo_session, tmp_path):
            nats_broker.stream("S", ["s"])
            nats_broker.keep(tmp_path / "kept")
            other = mono_demo_session.broker(store_from=tmp_path / "kept")
            assert asyncio.run(count(other)) == 0
            assert other.stop() == "orderly"
        """
    )
    run(inner).assert_outcomes(passed=5)


def test_what_was_promised_is_judged(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import asyncio, json
        import nats, pytest
        import mono_demo

        ORDER = {
            "operation": {"submit": "orders.new"},
            "key": "/id",
            "effect": {"stream": "RECEIPTS", "key": "subject:2"},
            "within": "1s",
        }

        def shop(broker):
            broker.stream("ORDERS", ["orders.new"])
            broker.stream("RECEIPTS", ["receipts.*"])

        async def order(broker, history, name, shipped=True):
            client = await broker.connect()
            js = client.jetstream()
            body = json.dumps({"id": name})
            with history.submit("orders.new", body) as operation:
                ack = await js.publish("orders.new", body.encode())
                operation.acknowledged(ack.seq, bool(ack.duplicate))
            if shipped:
                await js.publish(f"receipts.{name}", b"")
            await client.close()

        def test_what_is_kept_holds(nats_broker, nats_history):
            shop(nats_broker)
            history = nats_history(order=ORDER)
            nats_broker.kill()
            nats_broker.restart()
            asyncio.run(order(nats_broker, history, "o-1"))
            verdict = history.must_hold()
            assert (verdict.word, verdict.figures["done"]) == ("valid", 1)
            assert [one["name"] for one in verdict.hazards] == ["stream-without-limits"] * 2
            # A promise and a property may have one name.
            assert list(verdict.declared) == ["order"] and verdict.declared["order"]["looked_at"] == 1
            assert verdict.properties["order"]["looked_at"] == 0

        def test_what_is_lost_is_named(nats_session_broker, nats_history, tmp_path):
            shop(nats_session_broker)
            history = nats_history(order=ORDER)
            asyncio.run(order(nats_session_broker, history, "o-1", shipped=False))
            with pytest.raises(mono_demo.BrokenPromise, match="`o-1` was acknowledged to test") as raised:
                history.must_hold(into=tmp_path / "lost.jsonl")
            assert raised.value.verdict.figures["lost"] == 1
            assert (tmp_path / "lost.jsonl").exists()

        def test_what_raises_may_have_happened_or_not(nats_broker, nats_history):
            history = nats_history(order=ORDER)
            for error in (TimeoutError("late"), nats.errors.NoRespondersError()):
                with pytest.raises(type(error)), history.submit("orders.new", {"id": "o-1"}):
                    raise error
            verdict = history.judge()
            assert (verdict.figures["unknown"], verdict.figures["fail"]) == (1, 1)
            assert verdict.word == "unknown", verdict.report

        def test_what_could_not_be_judged_is_judged_again(nats_broker, nats_history, tmp_path):
            history = nats_history(order=ORDER)
            with pytest.raises(mono_demo.MonoDemoError, match="into: write"):
                history.judge(into=tmp_path / "nowhere" / "kept.jsonl")
            assert not history.is_judged
            assert history.judge(into=tmp_path / "kept.jsonl").no_hazards is None

        @pytest.mark.nats(jetstream=False)
        def test_why_nobody_looked_for_hazards(nats_broker, nats_history, tmp_path):
            (tmp_path / "receipts").write_text("")
            effect = {"command": ["cat", str(tmp_path / "receipts")], "key": "/id"}
            verdict = nats_history(order={**ORDER, "effect": effect}).judge()
            assert "JetStream" in verdict.no_hazards

        def test_a_slip_is_told(nats_broker, nats_history):
            with pytest.raises(mono_demo.MonoDemoError, match="did you mean `effect`"):
                nats_history(order={**ORDER, "efect": ORDER["effect"]})

        def test_nobody_judges_and_it_is_judged(nats_history):
            nats_history(order=ORDER)
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=7, errors=1)
    result.stdout.fnmatch_lines(["*BrokenPromise: the history is unknown*"])


def test_the_services_work_until_all_histories_are_judged(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        worker="""
        import asyncio, os, nats

        async def main():
            client = await nats.connect(os.environ["NATS_URL"])
            js = client.jetstream()
            orders = await js.subscribe("orders.new", durable="worker", manual_ack=True)
            print("ready", flush=True)
            async for order in orders.messages:
                # The test ends meanwhile.
                await asyncio.sleep(0.5)
                await js.publish("receipts.new", order.data)
                await order.ack()

        asyncio.run(main())
        """
    )
    inner.makepyfile(
        """
        import asyncio, json, sys

        def promise(subject):
            effect = {"stream": "RECEIPTS", "key": "/id"}
            return {"operation": {"submit": subject}, "key": "/id", "effect": effect, "within": "5s"}

        def shop(broker, services):
            broker.stream("ORDERS", ["orders.new"])
            broker.stream("RECEIPTS", ["receipts.new"])
            services.start([sys.executable, "worker.py"], ready={"line": "ready"})

        async def order(broker, history):
            client = await broker.connect()
            body = json.dumps({"id": "o-1"}).encode()
            with history.submit("orders.new", body) as operation:
                operation.acknowledged((await client.jetstream().publish("orders.new", body)).seq)
            await client.close()

        def test_the_history_is_named_first(nats_broker, nats_history, nats_services):
            shop(nats_broker, nats_services)
            asyncio.run(order(nats_broker, nats_history(order=promise("orders.new"))))

        def test_the_services_are_named_first(nats_services, nats_history, nats_broker):
            shop(nats_broker, nats_services)
            asyncio.run(order(nats_broker, nats_history(order=promise("orders.new"))))

        def test_each_is_judged(nats_broker, nats_history):
            nats_broker.stream("RECEIPTS", ["receipts.new"])
            nats_history(first=promise("first"))
            nats_history(second=promise("second"))
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines_random(["*no `submit first` was done*", "*no `submit second` was done*"])


def test_an_account_for_each_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import asyncio
        import nats, pytest

        brokers = set()

        @pytest.mark.parametrize("number", range(20))
        def test_nobody_else_is_there(nats_session_broker, number):
            # It would be there already, had another test the same account.
            nats_session_broker.stream("S", ["s"], storage="memory")
            nats_session_broker.bucket("B")
            brokers.add(nats_session_broker.broker.pid)
            assert len(brokers) == 1
            async def go():
                client = await nats.connect(nats_session_broker.url)
                await client.jetstream().publish("s", b"1")
                return (await client.jetstream().stream_info("S")).state.messages
            assert asyncio.run(go()) == 1
            names = [one["user"] for one in nats_session_broker.leaks()["connections"]]
            assert set(names) <= {nats_session_broker.user}

        @pytest.mark.nats(jetstream=False)
        def test_it_takes_no_settings(nats_session_broker):
            pass
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=20, errors=1)
    result.stdout.fnmatch_lines(["*nats(jetstream): the broker of the session is there already*"])


def test_settings_are_in_markers(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import asyncio
        import nats, pytest

        pytestmark = pytest.mark.nats(config="max_payload: 1000", user="u", password="p")

        async def limit(broker):
            client = await broker.connect()
            try:
                return client.max_payload
            finally:
                await client.close()

        def test_of_the_file(nats_broker):
            assert asyncio.run(limit(nats_broker)) == 1000
            assert nats_broker.url.startswith("nats://u:p@127.0.0.1:")

        @pytest.mark.nats(config="max_payload: 2000")
        def test_of_the_test(nats_broker):
            assert asyncio.run(limit(nats_broker)) == 2000

        @pytest.mark.nats(prot=1)
        def test_that_is_not_there(nats_broker):
            pass

        @pytest.mark.nats("jetstream")
        def test_without_a_name(nats_broker):
            pass

        @pytest.mark.nats(config="max_payload: nonsense")
        def test_that_the_server_refuses(nats_broker):
            pass
        """
    )
    result = run(inner, "--strict-markers")
    result.assert_outcomes(passed=2, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*MonoDemoError: broker.start: settings: *'prot' was unexpected*",
            "*nats('jetstream',): settings of a broker have names*",
            "*MonoDemoError: broker.start: nats-server ended with exit status 1*",
        ]
    )


def test_a_service_is_ready_when_its_page_is_and_a_broker_says_its_version(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import re, socket, sys, urllib.request
        import pytest
        import mono_demo

        PAGE = "import sys, http.server as h; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"

        def test_a_page(nats_broker, nats_services):
            assert re.fullmatch(r"2\\.\\d+\\.\\d+", nats_broker.version)
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            url = f"http://127.0.0.1:{port}/"
            nats_services.start([sys.executable, "-c", PAGE, str(port)], ready={"http": url})
            assert urllib.request.urlopen(url).status == 200

        def test_a_url_of_another_sort(nats_services):
            with pytest.raises(mono_demo.MonoDemoError, match="ready.http: .* is not an http:// URL"):
                nats_services.start(["sleep", "1"], ready={"http": "https://127.0.0.1/"})
        """
    )
    run(inner).assert_outcomes(passed=2)


def test_a_failure_shows_the_logs_of_broker_and_services(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import sys

        def test_a_service(nats_broker, nats_services):
            program = "import os, time; print('up at', os.environ['NATS_URL']); time.sleep(100)"
            service = nats_services.start(
                [sys.executable, "-u", "-c", program], ready={"line": "up at"}, env={"X": "y"}
            )
            assert nats_broker.url in service.log()[0]
            before = service.pid
            service.kill()
            service.restart()
            assert service.pid != before
            assert False, "on purpose"

        def test_it_does_not_start(nats_services):
            nats_services.start(["sh", "-c", "echo no room; exit 3"], ready={"line": "up"})

        def test_that_passes(nats_broker):
            pass
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*on purpose*",
            "*last lines of broker-1*",
            "*Server is ready*",
            "*last lines of service-1*",
            "up at nats://127.0.0.1:*",
            "*service.start: it ended with exit status 3 before it was ready*its last line: `no room`*",
        ]
    )
    assert "broker-3" not in result.stdout.str()


def test_several_brokers_of_one_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        def test_two(nats_broker, nats_services, nats_brokers):
            other = nats_brokers.start(jetstream=False)
            assert other.url != nats_broker.url
            service = nats_services.start(
                ["sh", "-c", "echo at $NATS_URL; exec sleep 1000"], of=other, ready={"line": "at"}
            )
            assert service.log() == [f"at {other.url}"]
            nats_brokers.start("third").kill()
            assert False, "on purpose"

        def test_they_are_gone(mono_demo_session):
            assert mono_demo_session.status() == []
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*last lines of broker-1*", "*last lines of broker-2*", "*last lines of service-1*", "*last lines of third*"]
    )


def test_a_ready_connection_with_each_plugin_for_coroutines(inner: pytest.Pytester) -> None:
    test = """
        import pytest

        @pytest.mark.{mark}
        async def test_it(nats_session_broker, nats_connection):
            heard = await nats_connection.subscribe("a")
            await nats_connection.publish("a", b"x")
            assert (await heard.next_msg()).data == b"x"
    """
    (inner.path / "of_asyncio").mkdir()
    (inner.path / "of_anyio").mkdir()
    by_asyncio = inner.makepyfile(**{"of_asyncio/test_asyncio": test.format(mark="asyncio")})
    by_anyio = inner.makepyfile(**{"of_anyio/test_anyio": test.format(mark="anyio")})
    by_anyio.with_name("conftest.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    run(inner, str(by_asyncio)).assert_outcomes(passed=1)
    # Where pytest-asyncio is not installed: the plugin does not find it.
    without = ("-p", "no:asyncio", "-p", "without_asyncio")
    (inner.path / "without_asyncio.py").write_text("import sys\nsys.modules['pytest_asyncio'] = None\n")
    python = os.pathsep.join([str(ROOT / "python"), str(inner.path)])
    environment = {**os.environ, "PYTHONPATH": python}
    command = [sys.executable, "-m", "pytest", *without, *ARGS, str(by_anyio)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_processes_side_by_side(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_it(nats_session_broker, number):
            nats_session_broker.stream("S", ["s"])

        def test_that_fails(nats_broker):
            assert False
        """
    )
    result = run(inner, "-n", "2")
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["*last lines of broker-*", "*Server is ready*"])


def test_a_cluster(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import asyncio

        def test_it_loses_its_leader(nats_cluster):
            nats_cluster.stream("S", ["s"], num_replicas=3)
            async def go():
                client = await nats_cluster.connect()
                await client.jetstream().publish("s", b"1")
                dead = await asyncio.to_thread(nats_cluster.kill_leader, "S")
                assert dead in (0, 1, 2)
                await asyncio.to_thread(nats_cluster.heal)
                assert (await client.jetstream().stream_info("S")).state.messages == 1
                await client.close()
            asyncio.run(go())
            assert len(nats_cluster.logs()) == 3
        """
    )
    run(inner).assert_outcomes(passed=1)


def test_what_failed_is_kept(inner: pytest.Pytester) -> None:
    path = inner.makepyfile(
        """
        def test_it(nats_broker):
            assert False

        def test_later(nats_broker):
            assert False
        """
    )
    command = [sys.executable, "-m", "pytest", *ARGS, "--mono-keep", str(path)]
    # A shell has what it starts in the background ignore Ctrl-C, and all that it starts in turn.
    pytest_run = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert pytest_run.stdout is not None
    said = ""
    while "Enter goes on" not in said:
        line = pytest_run.stdout.readline()
        assert line, said
        said += line
    assert "test_it failed, and is kept:" in said
    assert "broker-1: nats://127.0.0.1:" in said
    assert any("nats-server" in one for one in left(inner))
    pytest_run.send_signal(signal.SIGINT)
    said, _ = pytest_run.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in said
    until_gone(inner)

    result = run(inner, "--mono-keep", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--mono-keep: it waits for you*"])


def test_nothing_is_left_of_a_run_that_is_killed(inner: pytest.Pytester) -> None:
    path = inner.makepyfile(
        """
        import os, threading, time

        def test_it(nats_broker, nats_services):
            nats_services.start(["sh", "-c", "setsid sleep 1000 & echo up; wait"], ready={"line": "up"})
            # A process that has inherited what we hold does not keep it.
            if os.fork() == 0:
                time.sleep(1000)
            print("started", flush=True)
            threading.Event().wait()
        """
    )
    command = [sys.executable, "-m", "pytest", "-s", *ARGS, str(path)]
    pytest_run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert pytest_run.stdout is not None
    for line in pytest_run.stdout:
        if line.endswith("started\n"):
            break
    assert any("nats-server" in one for one in left(inner))
    pytest_run.kill()
    pytest_run.wait()
    until_gone(inner)
    # The forked child is the test's own, and still there until now.
    os.killpg(pytest_run.pid, signal.SIGKILL)
    pytest_run.stdout.close()


def test_who_interrupts_a_run_waits_for_nothing_that_is_under_way(inner: pytest.Pytester) -> None:
    path = inner.makepyfile(
        """
        def test_it(nats_services):
            nats_services.start(
                ["sh", "-c", "echo > begun; exec sleep 1000"], ready={"line": "never"}, ready_within_ms=3_600_000
            )
        """
    )
    command = [sys.executable, "-m", "pytest", *ARGS, str(path)]
    pytest_run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + PATIENCE
    while not (inner.path / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(pytest_run.pid, signal.SIGINT)
    said, _ = pytest_run.communicate(timeout=PATIENCE)
    assert pytest_run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert left(inner) == []


def test_a_control_that_dies_is_told(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import os, signal
        from pathlib import Path

        def test_it(nats_broker, mono_demo_session):
            os.kill(mono_demo_session._pipe._process.pid, signal.SIGKILL)
            nats_broker.kill()
        """
    )
    result = run(inner)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*MonoDemoError: fault: *control` has ended, with status -9*"])
    until_gone(inner)


def test_another_program_is_told(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inner.makepyfile("def test_it(nats_broker): pass")
    other = tmp_path / "mono-demo"
    refusal = {
        "id": 1,
        "err": {"kind": "protocol", "message": "it speaks version 2", "hint": "the same version"},
    }
    for script, told in [
        ("echo \"error: unrecognized subcommand 'control'\" >&2; exit 2", "it is older than this"),
        (f"read line; echo '{json.dumps(refusal)}'; cat", "hint: the same version"),
        ("echo hello; exit 0", "has ended, with status 0"),
    ]:
        other.write_text(f"#!/bin/sh\n{script}\n")
        other.chmod(0o755)
        monkeypatch.setenv("MONO_DEMO_BIN", str(other))
        result = run(inner)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"*{told}*"])
    monkeypatch.setenv("MONO_DEMO_BIN", str(tmp_path / "nowhere"))
    result = run(inner)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*cannot start */nowhere*"])
    monkeypatch.delenv("MONO_DEMO_BIN")
    monkeypatch.setenv("PATH", str(inner.path))
    result = run(inner)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*there is no program `mono-demo` in*", "*pip install mono-demo*"])


def test_a_program_that_does_not_say_who_it_is_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "mono-demo"
    other.write_text("#!/bin/sh\necho busy >&2\nsleep 600\n")
    other.chmod(0o755)
    monkeypatch.setenv("MONO_DEMO_BIN", str(other))
    monkeypatch.setattr("mono_demo._pipe.GREETING", 0.3)
    with pytest.raises(mono_demo.MonoDemoError, match=r"^hello: .* did not answer within 0.3 s"):
        mono_demo.Session()


def test_a_program_that_refuses_the_protocol_ends_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "mono-demo"
    refusal = json.dumps({"id": 1, "err": {"kind": "protocol", "message": "hello: not this one"}})
    script = f"read hello\necho '{refusal}'\ncat > /dev/null\necho orderly > {tmp_path}/ended\n"
    other.write_text(f"#!/bin/sh\n{script}")
    other.chmod(0o755)
    monkeypatch.setenv("MONO_DEMO_BIN", str(other))
    with pytest.raises(mono_demo.MonoDemoError, match=r"^hello: not this one"):
        mono_demo.Session()
    assert (tmp_path / "ended").read_text() == "orderly\n"


def nats_server() -> str:
    """The one that was installed for this program."""
    found = sorted((Path(CACHE) / "mono-demo").glob("nats-server-*/nats-server"))
    server = str(found[-1]) if found else shutil.which("nats-server")
    if server is None:
        pytest.skip("there is no nats-server outside of the package")
    return server


def test_a_home_that_nobody_can_write_into(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = nats_server()
    inner.makepyfile("def test_it(nats_broker): nats_broker.stream('S', ['s'])")
    monkeypatch.delenv("XDG_CACHE_HOME")
    # Not even root can make a folder there.
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    result = run(inner)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*MonoDemoError: broker.start: could not use the folder /proc/none/.cache/mono-demo: *",
            "*hint: make sure that you can write to that folder*",
        ]
    )
    # With a server that is installed nothing needs to be written there.
    monkeypatch.setenv("MONO_DEMO_NATS_SERVER", server)
    run(inner).assert_outcomes(passed=1)


def test_two_sessions_at_once_know_nothing_of_each_other(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import time
        from pathlib import Path
        import pytest
        import mono_demo

        def test_in_one_process():
            with mono_demo.Session() as one, mono_demo.Session() as other:
                first, second = one.broker("b", jetstream=False), other.broker("b", jetstream=False)
                assert first.port != second.port
                first.kill()
                assert [thing["state"] for thing in other.status()] == ["runs"]
                one.close()
                assert second.log()
                with pytest.raises(mono_demo.MonoDemoError, match="has ended"):
                    first.restart()

        def test_beside_another_process(nats_broker):
            here = Path(__file__).parent
            nats_broker.stream("S", ["s"])
            mine = here / str(nats_broker.pid)
            mine.touch()
            # Both are there at once: neither sees the other's stream or port.
            deadline = time.monotonic() + 60
            while len([path for path in here.iterdir() if path.name.isdigit()]) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert len(nats_broker.leaks()["connections"]) == 0
        """
    )
    command = (sys.executable, "-m", "pytest", *ARGS)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    both = [inner.popen(command, **pipes) for _ in range(2)]
    for process in both:
        said, _ = process.communicate(timeout=PATIENCE)
        assert b"2 passed" in said, said.decode()
        assert process.returncode == 0


#: Makes a network of its own, without IPv6.
WITHOUT_IPV6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up"


def makes_networks() -> bool:
    """Whether this machine lets its user make one."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "--net", "sh", "-c", WITHOUT_IPV6], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.skipif(not makes_networks(), reason="this user makes no network of its own")
def test_without_ipv6(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import socket
        import pytest

        def test_it(nats_broker):
            with pytest.raises(OSError):
                socket.create_connection(("::1", nats_broker.port), timeout=5)
            socket.create_connection(("127.0.0.1", nats_broker.port), timeout=5).close()
            nats_broker.stream("S", ["s"])
            assert nats_broker.proxy().url.startswith("nats://127.0.0.1:")
        """
    )
    alone = WITHOUT_IPV6 + ' && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", alone, "sh", sys.executable, "-m", "pytest", *ARGS]
    result = inner.run(*command)
    result.assert_outcomes(passed=1)


def makes_disks(folder: Path) -> bool:
    """Whether this machine lets its user make one there, of 64 KiB."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "--mount", *small_disk(folder)], capture_output=True, check=False)
    return tried.returncode == 0


def small_disk(folder: Path) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]


def test_a_full_disk_is_told(inner: pytest.Pytester) -> None:
    disk = inner.mkdir("disk")
    if not makes_disks(disk):
        pytest.skip("this user makes no disk of its own")
    inner.makepyfile("def test_it(nats_broker): pass")
    full = f"{' '.join(small_disk(disk))}; head -c 1000000 /dev/zero > {disk}/all 2>/dev/null"
    # What pytest writes of its own has room.
    alone = f'{full}; export TMPDIR={disk}; exec "$@" --basetemp {inner.path / "base"}'
    result = inner.run("unshare", "--mount", "sh", "-c", alone, "sh", sys.executable, "-m", "pytest", *ARGS)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*MonoDemoError: broker.start: could not make *: No space left on device*"])


def test_scenarios_are_tests(inner: pytest.Pytester) -> None:
    subprocess.run(
        [binary(), "e2e", "new", "greetings"], cwd=inner.path, check=True, capture_output=True
    )
    fixture = inner.path / "greetings" / "scenarios" / "greets.toml"
    inner.makepyfile(
        test_all="""
        import mono_demo

        test_scenarios = mono_demo.scenarios("greetings", "--client", "rust")
        """
    )
    result = run(inner, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_all.py::test_scenarios[[]greets[]] PASSED*"])
    golden = fixture.with_suffix(".snap")
    golden.write_text(golden.read_text().replace("Hello", "Goodbye"))
    result = run(inner)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Goodbye*"])


def test_the_test_of_the_page(inner: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "testing.md").read_text()
    inner.makepyfile(page.split("```python\n")[1].split("```")[0])
    run(inner).assert_outcomes(passed=1)


def test_the_example(inner: pytest.Pytester) -> None:
    for file in (ROOT / "examples" / "pytest-orders").glob("*.py"):
        shutil.copy(file, inner.path)
    run(inner).assert_outcomes(passed=2)
