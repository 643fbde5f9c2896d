"""Greets: a request on `greeter.greet` with {"name"} is answered with {"greeting"}."""

import asyncio
import json
import os
import signal

import nats
import nats.micro
from nats.micro.request import Request


async def greet(request: Request) -> None:
    name = json.loads(request.data).get("name")
    if not name:
        await request.respond_error("400", "a greeting needs a name")
        return
    await request.respond(json.dumps({"greeting": f"Hello, {name}!"}).encode())


async def main() -> None:
    nc = await nats.connect(
        os.environ["NATS_URL"],
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
    )
    service = await nats.micro.add_service(nc, name="greeter", version="1.0.0")
    group = service.add_group(name="greeter")
    await group.add_endpoint(name="greet", handler=greet)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await service.stop()
    await nc.close()


asyncio.run(main())
