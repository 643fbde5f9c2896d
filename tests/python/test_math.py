"""MathClient against the real service."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from support import Server, connected, tapped

from client import BadInput, DomainError, MathClient, ServiceError
from client.subjects import MATH_CALCULATE


async def test_the_example_of_the_readme(server: Server) -> None:
    async with connected(server) as nc:
        assert await MathClient(nc).add(10, 5) == 15


@pytest.mark.parametrize(
    ("method", "args", "result"),
    [
        ("add", (10, 5), 15),
        ("add", (0.5, 0.25), 0.75),
        ("subtract", (10, 5), 5),
        ("subtract", (5, 10), -5),
        ("multiply", (10, 5), 50),
        ("divide", (10, 4), 2.5),
        ("power", (2, 10), 1024),
        ("power", (4, 0.5), 2),
        ("sqrt", (144,), 12),
        ("sqrt", (0,), 0),
    ],
)
async def test_an_operation_has_its_result(
    server: Server, method: str, args: tuple[float, ...], result: float
) -> None:
    async with connected(server) as nc:
        got = await getattr(MathClient(nc), method)(*args)
        assert got == result
        assert isinstance(got, int) == isinstance(result, int)


async def test_divide_by_zero_and_sqrt_of_a_negative_are_none(server: Server) -> None:
    async with connected(server) as nc:
        assert await MathClient(nc).divide(10, 0) is None
        assert await MathClient(nc).divide(10, 0.0) is None
        assert await MathClient(nc).sqrt(-1) is None


async def test_calculate_returns_the_reply_also_for_a_domain_error(server: Server) -> None:
    async with connected(server) as nc:
        math = MathClient(nc)
        assert await math.calculate("add", 10, 5) == {"result": 15, "operation": "add"}
        assert await math.calculate("sqrt", 9) == {"result": 3, "operation": "sqrt"}
        assert await math.calculate("divide", 1, 0) == {
            "operation": "divide",
            "error": "division by zero",
        }
        assert await math.calculate("sqrt", -1) == {
            "operation": "sqrt",
            "error": "cannot calculate square root of negative number",
        }
        assert await math.calculate("modulo", 1, 2) == {
            "operation": "modulo",
            "error": "invalid operation",
        }


async def test_a_result_that_is_not_finite_is_a_domain_error(server: Server) -> None:
    async with connected(server) as nc:
        for asked in (
            MathClient(nc).power(10, 400),
            MathClient(nc).multiply(1e308, 10),
            MathClient(nc).divide(1e308, 1e-10),
        ):
            with pytest.raises(DomainError, match="result is not a finite number") as error:
                await asked
            assert error.value.definite


async def test_a_request_that_the_service_cannot_handle_is_a_service_error(server: Server) -> None:
    async with connected(server) as nc:
        with pytest.raises(ServiceError) as error:
            await MathClient(nc).calculate("add", 1)
        assert error.value.code == 400
        assert error.value.kind == "bad-request"
        assert error.value.message
        assert error.value.definite


async def test_an_int_stays_an_int_and_no_b_is_left_out(server: Server) -> None:
    async with connected(server) as nc, tapped(nc, MATH_CALCULATE) as tap:
        await MathClient(nc).calculate("sqrt", 424242)
        await MathClient(nc).calculate("add", 424242, 0.5)
        await tap.until(2)
        ours = [data for data in tap.bodies() if b"424242" in data]
        assert ours == [
            b'{"operation":"sqrt","a":424242}',
            b'{"operation":"add","a":424242,"b":0.5}',
        ]


@pytest.mark.parametrize("bad", [True, float("nan"), float("inf"), "1", None])
async def test_what_is_no_number_is_not_sent(server: Server, bad: Any) -> None:
    async with connected(server) as nc:
        sent_before = nc.stats["out_msgs"]
        with pytest.raises(BadInput):
            await MathClient(nc).add(bad, 1)
        assert nc.stats["out_msgs"] == sent_before


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "1"])
async def test_a_timeout_is_seconds_above_zero(server: Server, timeout: Any) -> None:
    async with connected(server) as nc:
        with pytest.raises(BadInput, match="timeout"):
            await MathClient(nc).add(1, 1, timeout=timeout)


async def test_many_requests_at_once_each_get_their_own_answer(server: Server) -> None:
    async with connected(server) as nc:
        math = MathClient(nc)
        results = await asyncio.gather(*(math.add(n, n, timeout=30) for n in range(500)))
        assert results == [2 * n for n in range(500)]


async def test_a_request_by_hand_gets_the_same_answer(server: Server) -> None:
    async with connected(server) as nc:
        asked = json.dumps({"operation": "add", "a": 10, "b": 5, "more": "ignored"}).encode()
        reply = await nc.request(MATH_CALCULATE, asked, timeout=5)
        assert json.loads(reply.data) == await MathClient(nc).calculate("add", 10, 5)
