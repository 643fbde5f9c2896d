"""The clients read the replies of the original server, which differ from ours in places."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from client import BadReply, DomainError, MathClient, PaymentClient


class Original:
    """Stands for a connection on which every request gets this reply."""


def answering(monkeypatch: pytest.MonkeyPatch, reply: dict[str, Any]) -> Any:
    async def ask(*_: object, **__: object) -> dict[str, Any]:
        return dict(reply)

    monkeypatch.setattr("client.wire.ask", ask)
    return Original()


def test_an_error_wins_over_the_result_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nc = answering(
        monkeypatch, {"result": 0, "operation": "divide", "error": "division by zero"}
    )
    math = MathClient(nc)
    assert asyncio.run(math.divide(1, 0)) is None
    assert asyncio.run(math.sqrt(-1)) is None
    with pytest.raises(DomainError, match="division by zero"):
        asyncio.run(math.divide(1, 2))
    assert asyncio.run(math.calculate("divide", 1, 0)) == {
        "operation": "divide",
        "error": "division by zero",
    }


@pytest.mark.parametrize("error", ["", None])
def test_an_error_that_says_nothing_is_none(
    monkeypatch: pytest.MonkeyPatch, error: str | None
) -> None:
    nc = answering(monkeypatch, {"result": 0, "operation": "divide", "error": error})
    assert asyncio.run(MathClient(nc).divide(0, 2)) == 0


def test_neither_is_a_bad_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    nc = answering(monkeypatch, {"operation": "divide"})
    with pytest.raises(BadReply):
        asyncio.run(MathClient(nc).divide(1, 0))


def test_an_amount_that_is_null_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    nc = answering(monkeypatch, {"payment_id": "p", "status": "pending", "amount": None})
    assert asyncio.run(PaymentClient(nc).get_status("p")) == {
        "payment_id": "p",
        "status": "pending",
    }
