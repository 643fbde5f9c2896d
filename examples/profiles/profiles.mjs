// Keeps profiles: each change in the stream CHANGES is an entry of the bucket `profiles`.
//
// A change is {"user", "version", "name"} on profiles.changed. An entry is only ever replaced by a
// later version, so that a change may come again, and late. Looking at a name takes LOOK_MS
// milliseconds.
//
// PLANT=early-ack acknowledges a change before it is kept.

import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";

const WRONG_LAST_SEQUENCE = 10071;
const early = process.env.PLANT === "early-ack";

const nc = await connect({
  servers: process.env.NATS_URL,
  user: process.env.NATS_USER,
  pass: process.env.NATS_PASSWORD,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 100,
  ignoreClusterUpdates: true,
});
const manager = await jetstreamManager(nc);
await manager.streams.add({ name: "CHANGES", subjects: ["profiles.changed"] });
await manager.consumers.add("CHANGES", {
  durable_name: "profiles",
  ack_policy: AckPolicy.Explicit,
  ack_wait: 2_000_000_000,
});
const profiles = await new Kvm(nc).create("profiles", { history: 5 });
const consumer = await jetstream(nc).consumers.get("CHANGES", "profiles");

async function keep(change) {
  console.log(`looking at ${change.user}`);
  await new Promise((looked) => setTimeout(looked, Number(process.env.LOOK_MS ?? 0)));
  for (;;) {
    const known = await profiles.get(change.user);
    if (known && known.operation === "PUT" && known.json().version >= change.version) {
      return;
    }
    try {
      await profiles.put(change.user, JSON.stringify(change), {
        previousSeq: known ? known.revision : 0,
      });
      return;
    } catch (error) {
      if (error.code !== WRONG_LAST_SEQUENCE && error.api_error?.err_code !== WRONG_LAST_SEQUENCE) {
        throw error;
      }
    }
  }
}

let stopping = false;
process.on("SIGTERM", () => {
  stopping = true;
});
console.log("profiles: ready");
while (!stopping) {
  try {
    const messages = await consumer.fetch({ max_messages: 10, expires: 1000 });
    for await (const message of messages) {
      if (early) {
        message.ack();
        await nc.flush();
      }
      await keep(message.json());
      if (!early) {
        message.ack();
      }
    }
  } catch {
    // The broker is away: what is in hand is delivered again.
    await new Promise((again) => setTimeout(again, 100));
  }
}
await nc.drain();
