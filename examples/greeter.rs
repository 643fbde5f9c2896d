//! A module of one's own: `cargo run --example greeter` beside `mono-demo serve`, then
//! `mono-demo call greeter hello --data '{"name": "Ada"}'`.

use mono_demo::mono::{App, Call, Connection, Module, ServiceError, Services, Target};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Hello {
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    text: String,
}

struct Greeter;

impl Module for Greeter {
    fn name(&self) -> &str {
        "greeter"
    }

    fn register(&self, services: &mut Services) {
        services.request_reply("hello", |hello: Hello, _: Call| async move {
            if hello.name.is_empty() {
                return Err(ServiceError::bad_request("field `name` must not be empty"));
            }
            Ok(Greeting { text: format!("Hello, {}!", hello.name) })
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let connection = Connection::open(&Target { url, ..Target::default() }, "greeter").await?;
    let mut running = App::new().module(Greeter).start(connection.clone()).await?;
    for registered in running.registered() {
        println!("{registered}");
    }
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        lost = running.lost() => return Err(lost.into()),
    }
    running.drain(std::time::Duration::from_secs(5)).await;
    connection.close(std::time::Duration::from_secs(5)).await;
    Ok(())
}
