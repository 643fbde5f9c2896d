"""PaymentClient against the real stream, service and ledger."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from support import DECLINED_AMOUNT, DECLINED_REASON, PATIENCE, Server, connected, tapped, unique

import client.payment
from client import Ack, BadInput, PaymentClient, RequestTimeout
from client.subjects import PAYMENT_PROCESS, PAYMENT_STATUS
from client.wire import Outgoing, publish, submit


async def test_the_example_of_the_readme(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        ack = await payment.submit_payment(payment_id, "user-123", "sub-monthly", 9.99)
        assert ack.stream == "payment-requests"
        assert ack.sequence > 0
        assert not ack.duplicate
        status = await payment.get_status(payment_id)
        assert status["payment_id"] == payment_id
        assert status["status"] in ("pending", "processing", "completed")


async def test_a_payment_completes_with_its_exact_amount(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        await payment.submit_payment(payment_id, amount="1.234", currency="KWD")
        status = await payment.wait_for_status(payment_id)
        assert status["status"] == "completed"
        assert status.get("message") == "Payment processed successfully"
        assert status.get("amount") == Decimal("1.234")
        assert status.get("currency") == "KWD"
        assert await payment.get_status(payment_id) == status


@pytest.mark.parametrize(
    ("fields", "tail"),
    [
        ({"amount": 9.99}, b'"amount":9.99}'),
        ({"amount": "9.90"}, b'"amount":9.90}'),
        ({"amount": Decimal("1E+2")}, b'"amount":100}'),
        ({"amount": 500, "currency": "JPY"}, b'"amount":500,"currency":"JPY"}'),
        (
            {"user_id": "user-123", "subscription_id": "sub-monthly", "amount": 7},
            b'"user_id":"user-123","subscription_id":"sub-monthly","amount":7}',
        ),
    ],
)
async def test_the_amount_is_exact_on_the_wire(
    server: Server, fields: dict[str, Any], tail: bytes
) -> None:
    payment_id = unique()
    async with connected(server) as nc, tapped(nc, PAYMENT_PROCESS) as tap:
        await PaymentClient(nc).submit_payment(payment_id, **fields)
        [message] = await tap.until(1)
        assert message.data == b'{"payment_id":"%b",' % payment_id.encode() + tail
        assert message.headers is not None
        assert message.headers["Nats-Msg-Id"] == payment_id


async def test_a_payment_submitted_again_is_a_duplicate(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        first = await payment.submit_payment(payment_id, amount="5.00")
        again = await payment.submit_payment(payment_id, amount="5.00")
        assert again == Ack(first.stream, first.sequence, duplicate=True)
        assert (await payment.wait_for_status(payment_id))["status"] == "completed"
        assert [charge["outcome"] for charge in server.charges(payment_id)] == ["approved"]


async def test_the_first_outcome_stands_against_another_amount(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        await payment.submit_payment(payment_id, amount="5.00")
        first = await payment.wait_for_status(payment_id)
        await payment.submit_payment(payment_id, amount="6.00")
        # Without the header the stream takes it, so the service has to notice.
        fields = {"payment_id": payment_id, "amount": 7}
        await submit(nc, Outgoing(PAYMENT_PROCESS, json.dumps(fields).encode()))
        # What is submitted later is processed, so the conflict was met or is being met.
        later = unique()
        await payment.submit_payment(later, amount="1")
        await payment.wait_for_status(later)
        assert await payment.get_status(payment_id) == first
        charged = [(charge["outcome"], charge["amount"]) for charge in server.charges(payment_id)]
        assert charged == [("approved", "5.00")]


async def test_an_unknown_payment_is_pending(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        assert await PaymentClient(nc).get_status(payment_id) == {
            "payment_id": payment_id,
            "status": "pending",
            "message": "Payment not found or not yet processed",
        }


async def test_waiting_for_what_was_never_submitted_times_out(server: Server) -> None:
    async with connected(server) as nc:
        started = time.monotonic()
        with pytest.raises(RequestTimeout, match="pending") as error:
            await PaymentClient(nc).wait_for_status(unique(), timeout=0.5)
        assert 0.4 < time.monotonic() - started < 5
        assert not error.value.definite


async def test_waiting_asks_once_at_each_event(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.payment, "_ASK_EVERY", 10 * PATIENCE)
    payment_id = unique()
    async with connected(server) as nc, tapped(nc, PAYMENT_STATUS) as asked:
        waiting = asyncio.ensure_future(PaymentClient(nc).wait_for_status(payment_id, timeout=1))
        for events in range(3):
            mine = await asked.until(1 + events)
            assert all(payment_id.encode() in message.data for message in mine)
            await publish(nc, [Outgoing(f"payments.events.{payment_id}")])
        with pytest.raises(RequestTimeout):
            await waiting
        assert len(asked.messages) == 4


async def test_waiting_sees_what_is_submitted_later(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.payment, "_ASK_EVERY", 10 * PATIENCE)
    payment_id = unique()
    async with connected(server) as waiter, connected(server) as other:
        async with tapped(other, PAYMENT_STATUS) as asked:
            waiting = asyncio.ensure_future(PaymentClient(waiter).wait_for_status(payment_id))
            await asked.until(1)
        await PaymentClient(other).submit_payment(payment_id, amount="2.50")
        assert (await waiting)["status"] == "completed"


async def test_waiting_ends_at_the_event_and_leaves_no_subscription(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        await payment.submit_payment(payment_id, amount="2.50")
        await payment.wait_for_status(payment_id)
        subjects = [sub.subject for sub in nc._subs.values()]
        assert not [subject for subject in subjects if subject.startswith("payments.")]


async def test_a_payment_that_cannot_be_accepted_fails_with_the_reason(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        fields = {"payment_id": payment_id, "amount": -1}
        await submit(nc, Outgoing(PAYMENT_PROCESS, json.dumps(fields).encode()))
        status = await PaymentClient(nc).wait_for_status(payment_id)
        assert status["status"] == "failed"
        assert status.get("message")


async def test_a_decline_is_final_and_has_its_reason(server: Server) -> None:
    payment_id = unique()
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        await payment.submit_payment(payment_id, amount=DECLINED_AMOUNT)
        status = await payment.wait_for_status(payment_id)
        assert status["status"] == "failed"
        assert DECLINED_REASON in status.get("message", "")
        assert [charge["outcome"] for charge in server.charges(payment_id)] == ["declined"]


async def test_many_payments_at_once_each_complete(server: Server) -> None:
    async with connected(server) as nc:
        payment = PaymentClient(nc)
        ids = [unique() for _ in range(40)]
        acks = await asyncio.gather(
            *(payment.submit_payment(payment_id, amount="1.00", timeout=30) for payment_id in ids)
        )
        assert len({ack.sequence for ack in acks}) == 40
        outcomes = await asyncio.gather(*(payment.wait_for_status(p, timeout=60) for p in ids))
        assert [outcome["payment_id"] for outcome in outcomes] == ids
        assert {outcome["status"] for outcome in outcomes} == {"completed"}
        for payment_id in ids:
            assert len(server.charges(payment_id)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"payment_id": "a.b", "amount": 1},
        {"payment_id": "", "amount": 1},
        {"payment_id": "pay\n", "amount": 1},
        {"payment_id": "pay-1"},
        {"payment_id": "pay-1", "amount": 0},
        {"payment_id": "pay-1", "amount": "9.999"},
        {"payment_id": "pay-1", "amount": True},
        {"payment_id": "pay-1", "amount": 1, "currency": "ABC"},
        {"payment_id": "pay-1", "amount": 1, "currency": ""},
        {"payment_id": "pay-1", "amount": 1, "user_id": 7},
        {"payment_id": "pay-1", "amount": 1, "subscription_id": "\ud800"},
        {"payment_id": "pay-1", "amount": 1, "user_id": "é" * 129},
    ],
)
async def test_bad_input_is_not_sent(server: Server, fields: dict[str, Any]) -> None:
    async with connected(server) as nc:
        sent_before = nc.stats["out_msgs"]
        with pytest.raises(BadInput) as error:
            await PaymentClient(nc).submit_payment(**fields)
        assert error.value.definite
        assert nc.stats["out_msgs"] == sent_before


@pytest.mark.parametrize("payment_id", ["a.b", "*", "", "x" * 65])
async def test_no_status_is_asked_for_what_is_no_id(server: Server, payment_id: str) -> None:
    async with connected(server) as nc:
        with pytest.raises(BadInput):
            await PaymentClient(nc).get_status(payment_id)
        with pytest.raises(BadInput):
            await PaymentClient(nc).wait_for_status(payment_id)
