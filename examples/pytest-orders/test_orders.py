"""Tests of `orders.py` with a broker of their own: `pip install mono-demo pytest-asyncio`, `pytest`."""

import asyncio
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import Error

from mono_demo import Broker, Service
from mono_demo.pytest_plugin import Services

pytestmark = pytest.mark.asyncio

ORDERS = [sys.executable, str(Path(__file__).parent / "orders.py")]


@pytest.fixture
def orders(nats_services: Services) -> Service:
    return nats_services.start(ORDERS, ready={"line": "orders are taken"})


async def order(client: Client, number: str) -> bytes:
    """Orders until it is accepted: the broker may be away, or the service."""
    while True:
        try:
            reply = await client.request("orders.new", b"tea", 1, headers={"Order-Id": number})
            return reply.data
        except Error:
            continue


async def test_an_order_is_accepted(orders: Service, nats_connection: Client) -> None:
    assert await order(nats_connection, "o-1") == b"accepted"


async def test_an_order_is_stored_once_whoever_is_killed(
    nats_broker: Broker, orders: Service, nats_connection: Client
) -> None:
    await order(nats_connection, "o-1")
    await asyncio.to_thread(nats_broker.kill)
    await asyncio.to_thread(nats_broker.restart)
    await order(nats_connection, "o-1")
    await asyncio.to_thread(orders.kill)
    await asyncio.to_thread(orders.restart)
    await order(nats_connection, "o-1")
    info = await nats_connection.jetstream().stream_info("ORDERS")
    assert info.state.messages == 1
