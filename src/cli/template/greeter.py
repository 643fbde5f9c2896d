"""Greets: a request on `greeter.greet` with {"name"} is answered with {"greeting"}."""

import asyncio
import json
import os
import signal

import nats
import nats.errors
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
    try:
        # Answers what is in hand, at most this long: the broker may be away just now.
        await asyncio.wait_for(drain(nc, service), timeout=3)
    except (asyncio.TimeoutError, nats.errors.Error, OSError):
        pass  # without a connection, nothing is in hand that could be answered
    await nc.close()


async def drain(nc: nats.NATS, service: nats.micro.Service) -> None:
    while not nc.is_connected:
        await asyncio.sleep(0.05)  # it is being made anew
    await service.stop()
    await nc.flush(timeout=2)


asyncio.run(main())
