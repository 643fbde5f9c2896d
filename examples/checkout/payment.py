"""Charges orders: for each in the stream ORDERS, one charge in the stream PAYMENTS.

Its books take a while, `BOOKS_MS` milliseconds a charge.

PLANT=idempotency charges whenever an order comes, also when it comes again.
"""

import asyncio
import json
import os

from common import OnlyOnce, connect, run, work


async def main(stop) -> None:
    client, jetstream = await connect("payment")

    async def charge(order) -> None:
        payment = {"id": order["id"], "cents": order["cents"]}
        if os.environ.get("PLANT") == "idempotency":
            await jetstream.publish(f"payments.{order['id']}", json.dumps(payment).encode())
        else:
            await OnlyOnce(jetstream).publish(f"payments.{order['id']}", payment)
        await asyncio.sleep(int(os.environ.get("BOOKS_MS", "0")) / 1000)

    print("payment: ready", flush=True)
    await work(jetstream, stop, "orders.*", "payment", charge)
    await client.close()


run(main)
