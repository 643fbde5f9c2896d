"""Works on orders: takes each from the stream ORDERS, asks for its price, and files one receipt.

An order is `{"id", "item", "count"}` on `shop.orders.new`; its receipt is `{"id", "total"}` on
`shop.receipts.<id>`. An order is delivered again until its receipt is filed, and the server refuses
a second receipt of the same order, so that a worker may die at any moment.
"""

import asyncio
import json
import os
import re
import signal

import nats
from nats.errors import NoRespondersError
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import BadRequestError

ONLY_IF_NEW = {"Nats-Expected-Last-Subject-Sequence": "0"}
WRONG_LAST_SEQUENCE = 10071


async def main() -> None:
    nc = await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"),
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
    )
    js = nc.jetstream()
    await js.add_stream(
        StreamConfig("ORDERS", subjects=["shop.orders.new"], retention=RetentionPolicy.WORK_QUEUE)
    )
    await js.add_stream(StreamConfig("RECEIPTS", subjects=["shop.receipts.*"]))
    orders = await js.pull_subscribe(
        "shop.orders.new", "workers", config=ConsumerConfig(ack_wait=2, max_ack_pending=100)
    )

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("worker: ready", flush=True)
    while not stop.is_set():
        try:
            messages = await orders.fetch(10, timeout=0.5)
        except (TimeoutError, nats.errors.Error):
            continue
        for message in messages:
            try:
                await settle(nc, js, message)
            except (TimeoutError, nats.errors.Error, OSError):
                pass  # the broker is away: the order is delivered again
    await nc.close()


async def settle(nc, js, message) -> None:
    """Files the receipt and acknowledges, turns the order away, or has it delivered again."""
    try:
        order = json.loads(message.data)
        order_id = str(order["id"])
        if not re.fullmatch(r"[a-z0-9-]{1,40}", order_id):
            raise ValueError(f"bad id {order_id!r}")
        reply = await nc.request("shop.quote", message.data, timeout=1)
        quote = json.loads(reply.data)
        if "error" in quote:
            raise ValueError(quote["error"])
    except (NoRespondersError, TimeoutError):
        await message.nak(delay=0.1)
        return
    except (KeyError, TypeError, ValueError) as error:
        await nc.publish("shop.orders.rejected", json.dumps({"reason": str(error)}).encode())
        await message.term()
        return
    receipt = json.dumps({"id": order_id, "total": quote["total"]}).encode()
    try:
        await js.publish(f"shop.receipts.{order_id}", receipt, headers=ONLY_IF_NEW)
    except BadRequestError as error:
        if error.err_code != WRONG_LAST_SEQUENCE:
            raise
    await message.ack()


asyncio.run(main())
