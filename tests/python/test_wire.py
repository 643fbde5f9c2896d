"""Request, publish, submit and subscribe: what happens when it does not go well."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from support import (
    PATIENCE,
    START_PATIENCE,
    Server,
    connected,
    driver,
    slow_road,
    start_server,
    tapped,
    unique,
)

from client import (
    BadInput,
    BadReply,
    ConnectionFailed,
    MathClient,
    NoResponders,
    NoStream,
    PayloadTooLarge,
    PaymentClient,
    PublishRefused,
    RequestTimeout,
    ServiceError,
    wire,
)
from client.subjects import PAYMENT_PROCESS


async def test_request_no_responders(server: Server) -> None:
    async with connected(server) as nc:
        started = time.monotonic()
        with pytest.raises(NoResponders) as error:
            await wire.request(nc, wire.Outgoing(unique("nobody")), timeout=PATIENCE)
        assert time.monotonic() - started < PATIENCE / 2
        assert error.value.definite


async def test_request_timeout(server: Server) -> None:
    subject = unique("silent")
    async with connected(server) as nc, tapped(nc, subject) as tap:
        with pytest.raises(RequestTimeout, match=r"0\.2 s") as error:
            await wire.request(nc, wire.Outgoing(subject), timeout=0.2)
        assert not error.value.definite
        assert len(tap.messages) == 1


@pytest.mark.parametrize(
    ("headers", "data", "code", "message", "kind"),
    [
        (
            {"Mono-Error": "true", "Mono-Error-Type": "internal", "Nats-Service-Error-Code": "500"},
            b'{"error": "the disk is full"}',
            500,
            "the disk is full",
            "internal",
        ),
        (
            {"Nats-Service-Error": "draining", "Nats-Service-Error-Code": "503"},
            b"",
            503,
            "draining",
            "",
        ),
        ({"Mono-Error": "true", "Mono-Error-Message": "odd"}, b"[1]", 500, "odd", ""),
        ({"Nats-Service-Error": "x", "Nats-Service-Error-Code": "many"}, b"", 500, "x", ""),
    ],
)
async def test_error_headers_become_a_service_error(
    server: Server, headers: dict[str, str], data: bytes, code: int, message: str, kind: str
) -> None:
    subject = unique("failing")
    async with connected(server) as nc:

        async def fail(request: Msg) -> None:
            await nc.publish(request.reply, data, headers=headers)

        await wire.subscribe(nc, subject, fail)
        with pytest.raises(ServiceError) as error:
            await wire.ask(nc, subject, b"{}")
        assert (error.value.code, error.value.message, error.value.kind) == (code, message, kind)
        raw = await wire.request(nc, wire.Outgoing(subject))
        assert raw.data == data, "a raw request gives what came"


async def test_a_reply_that_is_not_json_is_a_bad_reply(server: Server) -> None:
    subject = unique("odd")
    async with connected(server) as nc:

        async def answer(request: Msg) -> None:
            await nc.publish(request.reply, b"<html>")

        await wire.subscribe(nc, subject, answer)
        with pytest.raises(BadReply, match="html") as error:
            await wire.ask(nc, subject, b"{}")
        assert not error.value.definite
        with pytest.raises(BadReply):
            await wire.submit(nc, wire.Outgoing(subject))


async def test_submit_without_a_stream(server: Server) -> None:
    async with connected(server) as nc:
        with pytest.raises(NoStream) as error:
            await wire.submit(nc, wire.Outgoing(unique("nowhere")))
        assert error.value.definite


async def test_submit_that_the_stream_refuses(server: Server) -> None:
    expected = {"Nats-Expected-Stream": ["another-stream"]}
    async with connected(server) as nc:
        with pytest.raises(PublishRefused, match="stream") as error:
            await wire.submit(nc, wire.Outgoing(PAYMENT_PROCESS, b"{}", expected))
        assert error.value.definite
        assert error.value.code == 400


async def test_what_exceeds_max_payload_only_with_its_headers_is_refused_here(
    server: Server,
) -> None:
    """The server counts the headers, and would close the connection for good."""
    subject = unique("large")
    headers = {"X-Name": ["value"]}
    async with connected(server) as nc, tapped(nc, subject) as tap:
        fits = wire.Outgoing(subject, b"x" * nc.max_payload)
        with pytest.raises(PayloadTooLarge) as error:
            await wire.publish(nc, [wire.Outgoing(subject, b"x" * nc.max_payload, headers)])
        assert error.value.definite
        await wire.publish(nc, [fits], timeout=PATIENCE)
        overhead = wire.Outgoing(subject, b"", headers).size_bytes()
        full = wire.Outgoing(subject, b"y" * (nc.max_payload - overhead), headers)
        await wire.publish(nc, [full], timeout=PATIENCE)
        await tap.until(2)
        assert [len(data) for data in tap.bodies()] == [nc.max_payload, nc.max_payload - overhead]


async def test_several_values_of_one_header_all_go_out(server: Server) -> None:
    subject = unique("headers")
    async with connected(server) as nc, tapped(nc, subject) as tap:
        before = nc.stats["out_msgs"]
        message = wire.Outgoing(subject, b"", {"X-Name": ["one", "two"]})
        await wire.publish(nc, [message])
        [received] = await tap.until(1)
        # nats-py shows the last of them.
        assert received.headers == {"X-Name": "two"}
        assert message.size_bytes() == len(b"NATS/1.0\r\nX-Name: one\r\nX-Name: two\r\n\r\n")
        assert nc.stats["out_msgs"] == before + 1


@pytest.mark.parametrize(
    "headers", [{"a b": ["x"]}, {"": ["x"]}, {"A": ["x\r\nB: y"]}, {"A": ["\ud800"]}]
)
def test_headers_that_would_break_the_protocol_are_refused(headers: dict[str, list[str]]) -> None:
    with pytest.raises(BadInput, match="header"):
        wire.Outgoing("a", b"", headers)


async def test_a_subscription_is_there_once_subscribe_returns(server: Server) -> None:
    """With nats-py's own flush, about one in ten of these is not there yet."""
    async with connected(server) as nc, connected(server) as other:
        for _ in range(200):
            subject = unique("barrier")
            async with tapped(nc, subject) as tap:
                await wire.publish(other, [wire.Outgoing(subject, b"x")])
                await tap.until(1)


@pytest.mark.parametrize("count", [1, 8, 12, 17])
async def test_the_broker_has_everything_once_publish_returns(server: Server, count: int) -> None:
    """Also where the road is slow, and nats-py still holds some of it when it is asked to flush."""
    subject = unique("bulk")
    messages = [wire.Outgoing(subject, b"x" * 900_000) for _ in range(count)]
    async with slow_road(server) as url, connected(url) as nc, connected(server) as other:
        async with tapped(other, subject) as tap:
            await wire.publish(nc, messages, timeout=2 * PATIENCE)
            await other.flush()
            assert len(tap.messages) == count


async def test_subscribe_to_what_is_no_subject(server: Server) -> None:
    async def ignore(_: Msg) -> None: ...

    async with connected(server) as nc:
        for subject in ("", "a b", "a..b", "a.>.b"):
            with pytest.raises(BadInput):
                await wire.subscribe(nc, subject, ignore)


async def test_a_call_on_a_closed_connection_certainly_did_not_happen(server: Server) -> None:
    async with connected(server) as nc:
        await nc.close()
        with pytest.raises(ConnectionFailed) as error:
            await MathClient(nc).add(1, 1)
        assert error.value.definite


async def test_a_restart_of_the_server_is_outlasted(tmp_path: Path) -> None:
    first = start_server(tmp_path / "first")
    try:
        async with connected(first) as nc, driver() as remote:
            await remote.hello(first.url)
            assert await MathClient(nc).add(1, 1) == 2
            payment_id = unique()
            payment = PaymentClient(nc)
            final = asyncio.ensure_future(payment.wait_for_status(payment_id, timeout=2 * PATIENCE))
            await asyncio.to_thread(first.stop)

            started = time.monotonic()
            with pytest.raises(ConnectionFailed) as error:
                await MathClient(nc).add(1, 1, timeout=0.5)
            assert error.value.definite, "it was never sent"
            with pytest.raises(ConnectionFailed):
                await payment.submit_payment(unique(), amount=1, timeout=0.5)
            assert time.monotonic() - started < 10

            for op in ("request", "submit"):
                away = await remote.err(op, subject="a", payload_base64="", timeout_ms=300)
                assert (away["kind"], away["definite"]) == ("connection", True)

            held_back = wire.publish(nc, [wire.Outgoing("a")], timeout=START_PATIENCE)
            waiting = asyncio.ensure_future(held_back)
            second = await asyncio.to_thread(start_server, tmp_path / "second", port=first.port)
            try:
                await waiting
                assert await MathClient(nc).add(2, 2) == 4
                again = await remote.ok("call", method="math.add", args=[3, 3], timeout_ms=30_000)
                assert again == 6
                assert not final.done()
                await payment.submit_payment(payment_id, amount="1.50")
                assert (await final)["status"] == "completed"
            finally:
                await asyncio.to_thread(second.stop)
    finally:
        if first.process.poll() is None:
            first.stop()
