// Answers what an item costs: request `shop.quote` with {"item", "count"}, get {"total"} or {"error"}.
import { connect } from "@nats-io/transport-node";

/** Prices in cents. */
const PRICES = { apple: 50, pear: 75, melon: 320 };

const nc = await connect({
  servers: process.env.NATS_URL ?? "127.0.0.1:4222",
  user: process.env.NATS_USER,
  pass: process.env.NATS_PASSWORD,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 100,
});

function quote({ item, count }) {
  const price = PRICES[item];
  if (price === undefined) return { error: `we have no ${item}` };
  if (!Number.isInteger(count) || count < 1) return { error: "count must be a whole number from 1 up" };
  const cents = price * count;
  return { total: `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}` };
}

nc.subscribe("shop.quote", {
  queue: "quotes",
  callback: (_error, message) => {
    let answer;
    try {
      answer = quote(message.json());
    } catch {
      answer = { error: "not JSON" };
    }
    message.respond(JSON.stringify(answer));
  },
});
nc.subscribe("shop.quote.ping", { callback: (_error, message) => message.respond("pong") });

process.on("SIGTERM", async () => {
  // Without a connection there is nothing in hand to answer; with one, it may break on the way.
  setTimeout(() => process.exit(0), 3000).unref();
  await nc.drain().catch(() => nc.close());
  process.exit(0);
});
