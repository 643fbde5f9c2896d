"""Places orders: answers `checkout.place` once the order is in the stream ORDERS.

A request is `{"id", "customer", "cents"}`, the answer `{"id", "status": "placed"}`. The server takes
one order of an id, so that a request may be asked again.
"""

import json

from common import OnlyOnce, connect, run


async def main(stop) -> None:
    client, jetstream = await connect("order")

    async def place(request) -> None:
        order = json.loads(request.data)
        await OnlyOnce(jetstream).publish(f"orders.{order['id']}", order)
        await request.respond(json.dumps({"id": order["id"], "status": "placed"}).encode())

    await client.subscribe("checkout.place", queue="order", cb=place)
    await client.flush()
    print("order: ready", flush=True)
    await stop.wait()
    await client.drain()


run(main)
