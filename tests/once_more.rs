//! A second effect that comes when no consumer has anything left: the worker has acknowledged before, or
//! there is nothing to acknowledge.

use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;

/// Acknowledges first, if it can, and works for half a second.
const WORKER: &str = r#"
import asyncio, json, os, sys, nats
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"])
    js, work = nc.jetstream(), asyncio.Queue()
    async def order(message):
        if sys.argv[1] == "stream":
            await message.ack()
        await work.put(message)
    if sys.argv[1] == "stream":
        await js.subscribe("orders.new", durable="worker", cb=order, manual_ack=True)
    else:
        await nc.subscribe("orders.new", queue="workers", cb=order)
        await nc.flush()
    print("up", flush=True)
    while True:
        message = await work.get()
        await asyncio.sleep(0.5)
        await js.publish("done." + json.loads(message.data)["id"], message.data)
asyncio.run(main())
"#;

fn file(how: &str, streams: &str, verb: &str) -> String {
    format!(
        "{streams}[streams.DONE]\nsubjects = [\"done.*\"]\n\
         [services.worker]\nrun = [\"{{{{python}}}}\", \"worker.py\", \"{how}\"]\nready = {{ line = \"up\" }}\n\
         [promise.order]\noperation = {{ {verb} = \"orders.new\" }}\nkey = \"/id\"\n\
         effect = {{ stream = \"DONE\", key = \"subject:2\" }}\ntimes = \"once\"\nwithin = \"20s\"\n"
    )
}

#[test]
fn a_second_effect_is_waited_for_though_nothing_is_pending() {
    let doubled = "[[step]]\nfault = \"duplicate\"\nwhat = \"publish\"\nof = \"client\"\nsubject = \"orders.new\"\n";
    let streams = "[streams.ORDERS]\nsubjects = [\"orders.new\"]\n";
    for (how, streams, verb) in [("stream", streams, "submit"), ("core", "", "publish")] {
        let home = Home::new();
        let step = format!("[[step]]\n{verb} = \"orders.new\"\nbody = {{ id = \"o-1\" }}\n");
        let all = [("once", step.as_str()), ("doubled", &format!("{doubled}{step}"))];
        suite(&home, &file(how, streams, verb), &all);
        std::fs::write(home.path().join("suite/worker.py"), WORKER).unwrap();
        e2e(&home, &["once", "--update"]).ok();
        let said = e2e(&home, &["doubled", "--ci"]).failed(1, "").stdout;
        assert!(said.contains("`o-1` is 2 times in stream DONE, not once"), "{how}: {said}");
    }
}
