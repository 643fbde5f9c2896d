"""The driver, in a process of its own, over real pipes."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from support import PATIENCE, ROOT, Server, connected, driver, tapped, unique

from client import ConnectionFailed
from client.driver.connection import dial


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_hello_tells_name_library_and_capabilities(server: Server) -> None:
    async with driver() as remote:
        hello = await remote.hello(server.url)
        assert hello["name"] == "python"
        assert hello["library"].startswith("nats-py 2.")
        assert set(hello["capabilities"]) == {
            "call",
            "request",
            "publish",
            "submit",
            "subscribe",
            "next",
            "unsubscribe",
        }
        assert await remote.end() == (0, b"", b"")


async def test_an_unknown_protocol_version_is_refused(server: Server) -> None:
    async with driver() as remote:
        err = await remote.err("hello", protocol=2, seed=1, url=server.url)
        assert err["kind"] == "bad_input"
        assert err["definite"] is True
        assert "2" in err["message"]
        await remote.hello(server.url)


async def test_a_broker_that_is_not_there_is_a_connection_error() -> None:
    async with driver() as remote:
        err = await remote.err("hello", protocol=1, seed=1, url="nats://127.0.0.1:1")
        assert (err["kind"], err["definite"]) == ("connection", True)
        status, out, _ = await remote.end()
        assert (status, out) == (0, b"")


async def test_a_server_that_is_not_trusted_is_asked_once(asked_again: list[str]) -> None:
    with pytest.raises(ConnectionFailed, match="is not trusted: .*VERIFY_FAILED"):
        await dial(["tls://127.0.0.1:1"], {}, "tls://127.0.0.1:1", 60)
    assert asked_again == []


async def test_call_math(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)

        async def call(method: str, *args: object, **kwargs: object) -> object:
            return await remote.ok(
                "call", method=method, args=args, kwargs=kwargs, timeout_ms=10_000
            )

        assert await call("math.add", 10, 5) == 15
        assert await call("math.subtract", 10, 5.5) == 4.5
        assert await call("math.multiply", 10, 5) == 50
        assert await call("math.divide", 10, 4) == 2.5
        assert await call("math.divide", 10, 0) is None
        assert await call("math.power", 2, 10) == 1024
        assert await call("math.sqrt", 9) == 3
        assert await call("math.sqrt", a=-9) is None
        assert await call("math.calculate", "add", 10, b=5) == {"operation": "add", "result": 15}


async def test_call_email(server: Server) -> None:
    mark = unique("mail")
    async with driver() as remote, connected(server) as nc:
        await remote.hello(server.url)
        async with tapped(nc, "services.notification.email-send") as tap:
            sent = await remote.ok(
                "call", method="email.send_email", args=[mark, "Hi"], timeout_ms=10_000
            )
            assert sent is None
            emails = [{"to": mark, "subject": str(n), "body": ""} for n in range(3)]
            queued = await remote.ok(
                "call", method="email.send_bulk_emails", args=[emails], timeout_ms=10_000
            )
            assert queued == 3
            await tap.until(4)


async def test_call_payment_keeps_the_amount_exact(server: Server) -> None:
    payment_id = unique()
    async with driver() as remote, connected(server) as nc:
        await remote.hello(server.url)
        async with tapped(nc, "services.payment.payment-process") as tap:
            await remote.write(
                '{"id":901,"op":"call","method":"payment.submit_payment","args":["%s"],'
                '"kwargs":{"amount":123456789012345.10},"timeout_ms":10000}' % payment_id
            )
            ack = (await remote.reply())["ok"]
            assert ack["stream"] == "payment-requests"
            assert ack["sequence"] > 0
            assert ack["duplicate"] is False
            [message] = await tap.until(1)
            assert b'"amount":123456789012345.10}' in message.data


async def test_call_payment_to_its_final_status(server: Server) -> None:
    payment_id = unique()
    async with driver() as remote, connected(server) as nc:
        await remote.hello(server.url)
        arguments: dict[str, object] = {"payment_id": payment_id, "amount": 9.99}
        for duplicate in (False, True):
            ack = await remote.ok(
                "call", method="payment.submit_payment", kwargs=arguments, timeout_ms=10_000
            )
            assert ack["duplicate"] is duplicate
        final = await remote.ok(
            "call", method="payment.wait_for_status", args=[payment_id], timeout_ms=30_000
        )
        assert final["status"] == "completed"
        asked = await remote.ok(
            "call", method="payment.get_status", args=[payment_id], timeout_ms=10_000
        )
        assert asked == final
        on_the_wire = await nc.request(
            "services.payment.status", json.dumps({"payment_id": payment_id}).encode(), timeout=5
        )
        assert asked == json.loads(on_the_wire.data)
        assert isinstance(asked["amount"], float), "a number, as on the wire"


async def test_call_errors_have_their_kinds(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)

        async def err(method: str, *args: object) -> dict[str, object]:
            return await remote.err("call", method=method, args=args, timeout_ms=10_000)

        assert (await err("math.add", "ten", 5))["kind"] == "bad_input"
        assert (await err("math.add", 10))["kind"] == "bad_input"
        assert (await err("math.add", 1, 2, 3))["kind"] == "bad_input"
        assert (await err("math.power", 10, 400))["kind"] == "domain"
        service = await err("math.calculate", "add", 1)
        assert (service["kind"], service["code"], service["definite"]) == (
            "service_error",
            400,
            True,
        )
        assert (await err("payment.get_status", "a.b"))["kind"] == "bad_input"
        timeout = await remote.err(
            "call", method="payment.wait_for_status", args=[unique()], timeout_ms=300
        )
        assert (timeout["kind"], timeout["definite"]) == ("timeout", False)


async def test_what_it_cannot_do_is_skipped_with_a_reason(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)
        assert "fly" in (await remote.does("fly"))["skip"]
        reply = await remote.does("call", method="payment.refund", args=[], timeout_ms=1000)
        assert "payment.refund" in reply["skip"]
        private = await remote.does("call", method="math.__init__", args=[1], timeout_ms=1000)
        assert "skip" in private


async def test_raw_request(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)
        body = b64('{"operation": "add", "a": 10, "b": 5}')
        reply = await remote.ok(
            "request", subject="services.math.calculate", payload_base64=body, timeout_ms=10_000
        )
        assert json.loads(base64.b64decode(reply["payload_base64"]))["result"] == 15
        assert reply["subject"].startswith("_INBOX.")


async def test_raw_means_raw_for_an_error_too(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)
        reply = await remote.ok(
            "request",
            subject="services.math.calculate",
            payload_base64=b64("not JSON"),
            timeout_ms=10_000,
        )
        assert reply["headers"]["Mono-Error"] == ["true"]
        assert reply["headers"]["Nats-Service-Error-Code"] == ["400"]
        assert "error" in json.loads(base64.b64decode(reply["payload_base64"]))


async def test_raw_errors_have_their_kinds(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)

        async def kind(op: str, subject: str, payload_base64: str = "") -> tuple[str, bool]:
            fields: dict[str, object] = {} if op == "publish" else {"timeout_ms": 10_000}
            err = await remote.err(op, subject=subject, payload_base64=payload_base64, **fields)
            return err["kind"], err["definite"]

        assert await kind("request", unique("nobody")) == ("no_responders", True)
        assert await kind("submit", unique("nowhere")) == ("no_stream", True)
        for op in ("request", "publish", "submit"):
            assert await kind(op, "") == ("bad_input", True)
            assert await kind(op, "a.>") == ("bad_input", True)
            assert await kind(op, "a", "not base64!") == ("bad_input", True)
        large = base64.b64encode(b"x" * (2 << 20)).decode()
        assert await kind("publish", "a", large) == ("max_payload", True)
        # The connection has survived all that.
        await remote.ok("publish", subject="a", payload_base64="")


async def test_subscribe_next_and_unsubscribe(server: Server) -> None:
    subject = unique("sub")
    async with driver() as remote:
        await remote.hello(server.url)
        number = (await remote.ok("subscribe", subject=f"{subject}.>"))["subscription"]
        for n in (1, 2):
            await remote.ok(
                "publish",
                subject=f"{subject}.{n}",
                payload_base64=b64(str(n)),
                headers={"N": [str(n)]},
            )
        for n in (1, 2):
            assert await remote.ok("next", subscription=number, timeout_ms=10_000) == {
                "subject": f"{subject}.{n}",
                "payload_base64": b64(str(n)),
                "headers": {"N": [str(n)]},
            }
        none = await remote.err("next", subscription=number, timeout_ms=50)
        assert (none["kind"], none["definite"]) == ("timeout", True)
        no_time = await remote.err("next", subscription=number, timeout_ms=0)
        assert (no_time["kind"], no_time["definite"]) == ("bad_input", True)
        assert await remote.ok("unsubscribe", subscription=number) == {}
        gone = await remote.err("next", subscription=number, timeout_ms=50)
        assert gone["kind"] == "bad_input"


async def test_a_queue_group_shares_the_messages(server: Server) -> None:
    subject = unique("group")
    async with driver() as remote:
        await remote.hello(server.url)
        numbers = [
            (await remote.ok("subscribe", subject=subject, queue_group="workers"))["subscription"]
            for _ in range(2)
        ]
        await remote.ok("publish", subject=subject, payload_base64="")
        waits = [await remote.send("next", subscription=n, timeout_ms=500) for n in numbers]
        replies = [await remote.reply() for _ in waits]
        assert sorted("ok" in reply for reply in replies) == [False, True]


async def test_submit_is_acknowledged(server: Server) -> None:
    payment_id = unique()
    body = b64(json.dumps({"payment_id": payment_id, "amount": 1}))
    async with driver() as remote:
        await remote.hello(server.url)
        for duplicate in (False, True):
            ack = await remote.ok(
                "submit",
                subject="services.payment.payment-process",
                payload_base64=body,
                headers={"Nats-Msg-Id": [payment_id]},
                timeout_ms=10_000,
            )
            assert ack.keys() == {"stream", "sequence", "duplicate"}
            assert ack["duplicate"] is duplicate


async def test_commands_run_at_the_same_time(server: Server) -> None:
    subject = unique("slow")
    async with driver() as remote:
        await remote.hello(server.url)
        number = (await remote.ok("subscribe", subject=subject))["subscription"]
        waiting = await remote.send("next", subscription=number, timeout_ms=30_000)
        quick = await remote.send("call", method="math.add", args=[1, 1], timeout_ms=10_000)
        assert await remote.reply() == {"id": quick, "ok": 2}
        published = await remote.send("publish", subject=subject, payload_base64=b64("x"))
        replies = {reply["id"]: reply for reply in [await remote.reply(), await remote.reply()]}
        assert replies.keys() == {waiting, published}
        assert replies[waiting]["ok"]["payload_base64"] == b64("x")


async def test_commands_may_follow_hello_without_waiting(server: Server) -> None:
    async with driver() as remote:
        hello = await remote.send("hello", protocol=1, seed=1, url=server.url)
        call = await remote.send("call", method="math.add", args=[1, 1], timeout_ms=10_000)
        replies = {reply["id"]: reply for reply in [await remote.reply(), await remote.reply()]}
        assert "ok" in replies[hello]
        assert replies[call]["ok"] == 2


async def test_what_is_in_hand_ends_before_the_driver_does(server: Server) -> None:
    async with driver() as remote:
        await remote.hello(server.url)
        number = (await remote.ok("subscribe", subject="never.read"))["subscription"]
        await remote.ok("publish", subject="never.read", payload_base64="")
        call = await remote.send("call", method="math.add", args=[1, 1], timeout_ms=10_000)
        status, out, err = await remote.end()
        assert [json.loads(line) for line in out.splitlines()] == [{"id": call, "ok": 2}]
        assert (status, err) == (0, b"")
        assert number == 1


async def test_a_bad_command_with_an_id_is_answered(server: Server) -> None:
    async with driver() as remote:
        before = await remote.err("call", method="math.add", args=[1, 1], timeout_ms=1000)
        assert (before["kind"], before["definite"]) == ("bad_input", True)
        await remote.hello(server.url)
        await remote.write('{"id": 70}')
        assert (await remote.reply())["err"]["kind"] == "bad_input"
        await remote.write('{"id": 71, "op": "next", "subscription": "one", "timeout_ms": 1}')
        assert (await remote.reply())["err"]["kind"] == "bad_input"
        await remote.write(
            '{"id": 72, "op": "publish", "subject": "a", "payload_base64": "", "headers": {"A": 1}}'
        )
        assert (await remote.reply())["err"]["kind"] == "bad_input"
        second = await remote.err("hello", protocol=1, seed=1, url=server.url)
        assert second["kind"] == "bad_input"


@pytest.mark.parametrize(
    "line",
    ["not JSON", "[]", '{"op": "hello"}', '{"id": "1", "op": "next"}', '{"id": 1, "x": NaN}'],
)
def test_a_line_with_no_id_to_answer_to_ends_the_driver(line: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "client.driver"],
        cwd=ROOT,
        input=line + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "no command" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_input_at_all_is_a_clean_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "client.driver"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_whatever_prints_does_not_reach_the_protocol() -> None:
    program = (
        "import os, client.driver.lines as d; out = d.claim_stdout(); print('stray');"
        "os.system('echo native'); print('{}', file=out, flush=True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=PATIENCE
    )
    assert ended.stdout == b"{}\n"
    assert sorted(ended.stderr.split()) == [b"native", b"stray"]
