"""Does orders, or only seems to: `CHEAT` says how."""

import asyncio
import json
import os
import signal
import sys

import nats
from nats.js.api import ConsumerConfig, KeyValueConfig, RePublish, StreamConfig, StreamSource, SubjectTransform

CHEAT = os.environ.get("CHEAT", "")
FILE = os.path.join(os.environ["MONO_DEMO_DIR"], "done.jsonl")
COPIES = {"republish", "renamed", "mirror", "sources", "chain", "transformed", "bucket-sources", "push"}
ORDERS = {
    "republish": {"republish": RePublish(src="orders.>", dest="done.>")},
    "renamed": {"subject_transform": SubjectTransform(src="orders.*", dest="done.{{wildcard(1)}}")},
}
DONE = {
    "mirror": {"mirror": StreamSource(name="ORDERS")},
    "sources": {"sources": [StreamSource(name="ORDERS")]},
    "chain": {"sources": [StreamSource(name="BETWEEN")]},
    "transformed": {
        "sources": [
            StreamSource(
                name="ORDERS",
                subject_transforms=[SubjectTransform(src="orders.*", dest="done.{{wildcard(1)}}")],
            )
        ]
    },
    "rollup": {"subjects": ["done.>"], "allow_rollup_hdrs": True},
    "full": {"subjects": ["done.>"], "max_msgs": 1, "discard": "new"},
}
TWICE = {"made-anew", "counted-anew", "cut", "surrogate", "deleted-one"}


def line(text: str, mode: str = "a") -> None:
    with open(FILE, mode) as lines:
        lines.write(text + "\n")


async def main() -> None:
    client = await nats.connect(
        os.environ["NATS_URL"], user=os.environ["NATS_USER"], password=os.environ["NATS_PASSWORD"]
    )
    jetstream = client.jetstream()
    done = {"subjects": ["done.>"]}
    await jetstream.add_stream(
        StreamConfig(name="ORDERS", subjects=["orders.>"], **ORDERS.get(CHEAT, {}))
    )
    if CHEAT == "chain":
        between = StreamConfig(name="BETWEEN", sources=[StreamSource(name="ORDERS")])
        await jetstream.add_stream(between)
    if CHEAT != "renamed":
        await jetstream.add_stream(StreamConfig(name="DONE", **DONE.get(CHEAT, done)))
    bucket = await jetstream.create_key_value(KeyValueConfig(bucket="done", history=5))
    if CHEAT == "bucket-sources":
        info = await jetstream.stream_info("KV_done")
        renames = [SubjectTransform(src="orders.*", dest="$KV.done.{{wildcard(1)}}")]
        sources = [StreamSource(name="ORDERS", subject_transforms=renames)]
        await jetstream.update_stream(info.config.evolve(sources=sources))
    if CHEAT == "push":
        # The broker itself brings each order to this subject.
        config = ConsumerConfig(durable_name="push", deliver_subject="done.all", ack_policy="none")
        await jetstream.add_consumer("ORDERS", config)
    orders = await jetstream.pull_subscribe(
        "done.>" if CHEAT == "renamed" else "orders.>",
        "worker",
        stream="ORDERS",
        config=ConsumerConfig(ack_wait=1 if CHEAT == "again" else 20),
    )
    if CHEAT in ("early", "early-file"):
        line('{"id":"o-1"}')
        await jetstream.publish("done.o-1", b'{"id":"o-1"}')
    print("ready", flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    keys = []

    async def put(key: str) -> None:
        try:
            await jetstream.publish(f"done.{key}", json.dumps({"id": key}).encode())
        except nats.js.errors.APIError as error:
            print(f"never mind: {error}", flush=True)

    while not stopping.is_set():
        try:
            messages = await orders.fetch(1, timeout=0.2)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            key = json.loads(message.data)["id"]
            if CHEAT in COPIES or CHEAT in ("early", "early-file"):
                await message.ack()
                continue
            keys.append(key)
            for _ in range(2 if CHEAT in TWICE - {"surrogate"} else 1):
                await put(key)
                line(json.dumps({"id": key}))
            if CHEAT == "rollup":
                # Takes the place of the first.
                body, headers = json.dumps({"id": key}).encode(), {"Nats-Rollup": "sub"}
                await jetstream.publish(f"done.{key}", body, headers=headers)
            if CHEAT == "deleted-one":
                info = await jetstream.stream_info("DONE")
                await jetstream.delete_msg("DONE", info.state.last_seq)
            await bucket.put(key, json.dumps({"id": key}).encode())
            if CHEAT == "purged-key":
                await bucket.purge(key)
                await bucket.put(key, json.dumps({"id": key}).encode())
            if CHEAT == "surrogate":
                line(f'{{"id":"{key}","note":"\\ud800"}}')
            again = {"long": " " + "x" * 100_000, "one-line": f" did {key}"}.get(CHEAT, "")
            print(f"did {key}{again}", flush=True)
            if CHEAT not in ("again", "never"):
                await message.ack()
    if CHEAT == "made-anew":
        await jetstream.delete_stream("DONE")
        await jetstream.add_stream(StreamConfig(name="DONE", **done))
    if CHEAT == "counted-anew":
        info = await jetstream.stream_info("DONE")
        await jetstream.purge_stream("DONE")
        request = {**info.config.as_dict(), "first_seq": info.state.last_seq + 1}
        await client.request("$JS.API.STREAM.UPDATE.DONE", json.dumps(request).encode())
    if CHEAT in ("made-anew", "counted-anew", "at-its-end"):
        for key in keys:
            await put(key)
    if CHEAT == "cut":
        line("\n".join(json.dumps({"id": key}) for key in keys), "w")
    if CHEAT == "rewritten":
        line("\n".join(json.dumps({"id": key}) for key in reversed(keys)), "w")
    await client.close()


asyncio.run(main())
sys.exit(0)
