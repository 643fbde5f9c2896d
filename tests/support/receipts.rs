//! A suite with one worker, which writes a receipt for each order; an environment variable plants a
//! fault.

use super::program::Home;

/// `PLANT=early` acknowledges before the receipt is written, `PLANT=drop` writes none from the order
/// `FIRST_BAD` on, `PLANT=sometimes` none in one of two processes.
const WORKER: &str = r#"
import asyncio, json, os, nats
from nats.js.api import ConsumerConfig
plant = os.environ.get("PLANT")
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"], reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    js = nc.jetstream()
    last = int(os.environ.get("FIRST_BAD", "1"))
    config = ConsumerConfig(ack_wait=1)
    pull = await js.pull_subscribe("orders.new", "worker", stream="ORDERS", config=config)
    unlucky = os.getpid() % 2 == 0
    print("up", flush=True)
    while True:
        try:
            messages = await pull.fetch(1, timeout=1)
        except (nats.errors.TimeoutError, nats.errors.Error):
            continue
        for message in messages:
            order = json.loads(message.data)
            bad = plant == "drop" and order["id"] >= last
            bad = bad or (plant == "sometimes" and unlucky)
            if plant == "early":
                await message.ack()
                await nc.flush()
            if not bad:
                receipt = json.dumps({"id": order["id"]}).encode()
                headers = {"Nats-Msg-Id": str(order["id"])}
                await js.publish(f"receipts.{order['id']}", receipt, headers=headers)
            if plant != "early":
                await message.ack()
asyncio.run(main())
"#;

const SUITE: &str = r#"
[streams.ORDERS]
subjects = ["orders.new"]

[streams.RECEIPTS]
subjects = ["receipts.*"]

[services.worker]
run = ["{{python}}", "worker.py"]
ready = { line = "up" }

[promise.receipt]
operation = { submit = "orders.new" }
key = "/id"
effect = { stream = "RECEIPTS", key = "/id" }
within = "4s"
"#;

/// The suite in the folder `suite`, with a scenario `orders` of so many orders and what else it has.
pub fn suite(home: &Home, orders: u32, more: &str) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    let write = |path: &str, text: &str| std::fs::write(root.join(path), text).unwrap();
    write("suite.toml", SUITE);
    write("worker.py", WORKER);
    let scenario = format!(
        "description = \"Each order has a receipt\"\n\n[[step]]\nsubmit = \"orders.new\"\n\
         body = {{ id = \"{{{{n}}}}\", note = \"a note\" }}\nrepeat = {orders}\nagain = 0\n{more}"
    );
    write("scenarios/orders.toml", &scenario);
}
