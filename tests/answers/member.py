"""Answers sums.add, in a queue group or (QUEUE is empty) each for itself; once or (TIMES) more often."""

import asyncio
import json
import os

import nats


async def main() -> None:
    nc = await nats.connect(
        os.environ["NATS_URL"],
        user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"],
    )

    async def add(message: nats.aio.msg.Msg) -> None:
        terms = json.loads(message.data)
        for _ in range(int(os.environ.get("TIMES", "1"))):
            await message.respond(json.dumps({"sum": terms["a"] + terms["b"]}).encode())

    await nc.subscribe("sums.add", queue=os.environ.get("QUEUE", ""), cb=add)
    await nc.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
