"""Ships what is paid, and gives points for it: one shipment and one entry of points a payment.

PLANT=durable has both read the payments as one consumer, so that each sees a part of them.
"""

import asyncio
import os

from common import OnlyOnce, connect, run, work


async def main(stop) -> None:
    client, jetstream = await connect("shipping")
    points = "shipping" if os.environ.get("PLANT") == "durable" else "points"

    async def ship(payment) -> None:
        await OnlyOnce(jetstream).publish(f"shipments.{payment['id']}", {"id": payment["id"]})

    async def reward(payment) -> None:
        await OnlyOnce(jetstream).publish(f"points.{payment['id']}", {"id": payment["id"]})

    print("shipping: ready", flush=True)
    await asyncio.gather(
        work(jetstream, stop, "payments.*", "shipping", ship),
        work(jetstream, stop, "payments.*", points, reward),
    )
    await client.close()


run(main)
