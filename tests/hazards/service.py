"""A service that commits one hazard, or nearly does: `MODE`, and `NEARLY` where it does not."""

import asyncio
import os
import socket
import sys
import time
from urllib.parse import urlparse

import nats
from nats.js.api import ConsumerConfig

MODE, NEARLY = os.environ["MODE"], "NEARLY" in os.environ
URL, USER, PASSWORD = (os.environ[f"NATS_{name}"] for name in ("URL", "USER", "PASSWORD"))


async def pull(js, durable: str, **config):
    config = ConsumerConfig(durable_name=durable, **config)
    return await js.pull_subscribe("jobs.*", durable, stream="JOBS", config=config)


async def each(subscription, handle) -> None:
    while True:
        try:
            for message in await subscription.fetch(1, timeout=1):
                await handle(message)
        except nats.errors.TimeoutError:
            pass


async def main() -> None:
    client = await nats.connect(URL, user=USER, password=PASSWORD, name=MODE)
    js = client.jetstream()

    async def ready() -> None:
        await client.flush()
        print("ready", flush=True)

    if MODE == "nak":
        subscription = await pull(js, "worker", max_deliver=3)
        await ready()
        await each(subscription, lambda message: message.nak(delay=0.02 if NEARLY else None))
    elif MODE == "refuse":
        subscription = await pull(js, "worker")
        await ready()
        await each(subscription, lambda message: message.nak())
    elif MODE == "slow":
        subscriptions = [await pull(js, "worker", ack_wait=0.3) for _ in range(2)]

        async def handle(message) -> None:
            for _ in range(10):
                await asyncio.sleep(0.06)
                if NEARLY:
                    await message.in_progress()
            await message.ack()

        await ready()
        await asyncio.gather(*(each(subscription, handle) for subscription in subscriptions))
    elif MODE in ("same", "core"):
        subscription = await pull(js, "worker")

        async def handle(message) -> None:
            if MODE == "same":
                for _ in range(2):
                    headers = {"Nats-Msg-Id": "one"} if NEARLY else None
                    await js.publish("done.it", message.data, headers=headers)
            elif NEARLY:
                await js.publish("done.it", message.data)
            else:
                await client.publish("done.it", message.data)
            await message.ack()

        await ready()
        await each(subscription, handle)
    elif MODE == "shared":
        durable = os.environ["DURABLE"]
        subscription = await pull(js, durable)
        await ready()
        await each(subscription, lambda message: message.ack())
    elif MODE == "ephemeral":
        config = ConsumerConfig(inactive_threshold=5 if NEARLY else 300)
        subscription = await js.pull_subscribe("jobs.*", stream="JOBS", config=config)
        await ready()
        await each(subscription, lambda message: message.ack())
    elif MODE == "window":
        subscription = await pull(js, "worker", max_ack_pending=10 if NEARLY else 1)

        async def handle(message) -> None:
            await asyncio.sleep(0.1)
            await message.ack()

        await ready()
        await each(subscription, handle)
    elif MODE == "queue":
        await client.subscribe("work", queue="workers")
        await client.subscribe("work", queue="workers" if NEARLY else "")
        await ready()
        await asyncio.Event().wait()


def never_reads() -> None:
    """Subscribes by hand, and leaves what comes where it is."""
    at = urlparse(URL)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((at.hostname, at.port))
    connection.recv(4096)
    hello = f'{{"verbose":false,"name":"sleeper","user":"{USER}","pass":"{PASSWORD}"}}'
    connection.sendall(f"CONNECT {hello}\r\nSUB flood 1\r\nPING\r\n".encode())
    assert b"PONG" in connection.recv(4096)
    print("ready", flush=True)
    while True:
        if NEARLY:
            connection.recv(1 << 20)
        else:
            time.sleep(60)


if MODE == "sleeper":
    sys.exit(never_reads())
asyncio.run(main())
