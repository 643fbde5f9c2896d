"""Takes orders on `orders.new`: each is stored once, and then confirmed."""

import asyncio
import os

import nats
from nats.aio.msg import Msg


async def main() -> None:
    url = os.environ["NATS_URL"]
    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    stream = client.jetstream()
    await stream.add_stream(name="ORDERS", subjects=["orders.accepted"])

    async def take(order: Msg) -> None:
        once = {"Nats-Msg-Id": (order.headers or {})["Order-Id"]}
        await stream.publish("orders.accepted", order.data, headers=once)
        await order.respond(b"accepted")

    await client.subscribe("orders.new", "orders", cb=take)
    await client.flush()
    print("orders are taken", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
