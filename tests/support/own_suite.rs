//! A suite of one's own, in a folder of a home, which `e2e` runs as a program.

use super::program::{Home, Said};

/// A suite in a folder of that home.
pub fn suite(home: &Home, file: &str, scenarios: &[(&str, &str)]) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), file).unwrap();
    for (name, steps) in scenarios {
        let text = format!("description = \"{name}\"\n{steps}");
        std::fs::write(root.join(format!("scenarios/{name}.toml")), text).unwrap();
    }
}

/// The suite's `worker.py`: it does `first` once it is connected (`js`), then `each` with every `message`
/// on `orders.new`, which it acknowledges.
pub fn worker(home: &Home, first: &str, each: &str) {
    let text = format!(
        r#"
import asyncio, json, os, nats
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"])
    js = nc.jetstream()
    {first}
    async def order(message):
        {each}
        await message.ack()
    await js.subscribe("orders.new", durable="worker", cb=order, manual_ack=True)
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#
    );
    std::fs::write(home.path().join("suite/worker.py"), text).unwrap();
}

pub fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

/// A step that any suite can do.
pub const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";
