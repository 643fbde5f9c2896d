"""What the three services share: their streams, their connection, and how they end."""

import asyncio
import json
import os
import signal

import nats
from nats.errors import Error
from nats.js.api import ConsumerConfig, StreamConfig
from nats.js.errors import BadRequestError

WRONG_LAST_SEQUENCE = 10071


async def connect(name: str):
    client = await nats.connect(
        os.environ["NATS_URL"],
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
    )
    jetstream = client.jetstream()
    for stream in ("ORDERS", "PAYMENTS", "SHIPMENTS", "POINTS"):
        await jetstream.add_stream(StreamConfig(stream, subjects=[f"{stream.lower()}.*"]))
    return client, jetstream


class OnlyOnce:
    """Publishes where the server takes one message a subject: a second one changes nothing."""

    def __init__(self, jetstream) -> None:
        self.jetstream = jetstream

    async def publish(self, subject: str, body: dict) -> None:
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        try:
            await self.jetstream.publish(subject, json.dumps(body).encode(), headers=headers)
        except BadRequestError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise


async def work(jetstream, stop, subject: str, durable: str, handle) -> None:
    """Hands each message to `handle` until it has returned, however often that takes."""
    config = ConsumerConfig(ack_wait=2, max_ack_pending=100)
    messages = await jetstream.pull_subscribe(subject, durable, config=config)
    while not stop.is_set():
        try:
            for message in await messages.fetch(10, timeout=0.5):
                await handle(json.loads(message.data))
                await message.ack()
        except (TimeoutError, Error, OSError):
            pass  # nothing came, or the broker is away: what is in hand is delivered again


def run(main) -> None:
    async def until_stopped() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await main(stop)

    asyncio.run(until_stopped())
