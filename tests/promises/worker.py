"""Ships orders: a receipt in a stream, an entry in a bucket, a line of its log and of a file.

`FAULT` is what it does wrong, with the order `o-2`.
"""

import asyncio
import json
import os
import signal
import sys

import nats
from nats.js.api import KeyValueConfig, StreamConfig

FAULT = os.environ.get("FAULT", "")


async def main() -> None:
    client = await nats.connect(
        os.environ["NATS_URL"], user=os.environ["NATS_USER"], password=os.environ["NATS_PASSWORD"]
    )
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name="ORDERS", subjects=["orders.>"]))
    await jetstream.add_stream(StreamConfig(name="RECEIPTS", subjects=["receipts.>"]))
    bucket = await jetstream.create_key_value(KeyValueConfig(bucket="shipped", history=5))
    orders = await jetstream.pull_subscribe("orders.new", "worker")
    out = os.path.join(os.environ["MONO_DEMO_DIR"], "shipped.jsonl")
    late = []

    async def receipt(order: str, status: str) -> None:
        body = json.dumps({"id": order, "status": status})
        await jetstream.publish(f"receipts.{order}", body.encode())

    async def ship(order: str) -> None:
        this = FAULT if order == "o-2" else ""
        if this == "lose":
            return
        await receipt(order, "packed")
        if this == "never-ends":
            return
        if this == "swap" and not late:
            late.append(order)
            return
        await receipt(order, "shipped")
        if this == "twice":
            await receipt(order, "shipped")
        if this == "changes":
            await receipt(order, "packed")
        if this == "unasked":
            await receipt("o-99", "shipped")
        await bucket.put(order, b'"shipped"')
        if this == "bucket-twice":
            await bucket.put(order, b'"shipped"')
        if this != "silent":
            print(f"shipped {order}", flush=True)
        with open(out, "a") as lines:
            if this != "no-line":
                lines.write(json.dumps({"id": order}) + "\n")
        await client.publish("shipped." + order, b"{}")

    print("ready", flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    while not stopping.is_set():
        try:
            messages = await orders.fetch(1, timeout=0.2)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            if FAULT == "stuck" and b"o-2" in message.data:
                continue
            await ship(json.loads(message.data)["id"])
            for order in late if FAULT == "swap" and b"o-3" in message.data else []:
                await ship(order)
            await message.ack()
    if FAULT == "purges":
        await jetstream.delete_stream("RECEIPTS")
    await client.close()


asyncio.run(main())
sys.exit(0)
