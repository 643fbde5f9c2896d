//! How the driver of each language is started; `None` where the tools of a language are missing.

use std::process::Command;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mono_demo::e2e::driver::TypedCalls;
use mono_demo::mono::Caller;
use mono_demo::provision;
use mono_demo::wire::driver::Outcome;
use serde_json::{Map, Value};

use super::expected::left_out;
use super::{root, shared_cache};

const BIN: &str = env!("CARGO_BIN_EXE_mono-demo");

/// Of a driver that is asked for no typed call.
#[derive(Debug)]
pub struct NoCalls;

impl TypedCalls for NoCalls {
    fn call(
        &self,
        _: Caller,
        _: String,
        _: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        async { Outcome::Skip("no typed call is made here".to_owned()) }.boxed()
    }
}

pub fn rust() -> Vec<String> {
    [BIN, "driver", "rust"].map(str::to_owned).into()
}

/// From the root of the checkout.
pub async fn python() -> Vec<String> {
    let requirements = std::fs::read_to_string(root().join("client/requirements.txt")).unwrap();
    let mut settings = provision::Settings::new(shared_cache());
    settings.path = std::env::var_os("PATH");
    let env = provision::python_env(&settings, &requirements, &|_| {}).await.unwrap();
    let python = env.python.to_str().unwrap();
    [python, "-m", "client.driver"].map(str::to_owned).into()
}

pub fn node() -> Option<Vec<String>> {
    Some(vec!["node".to_owned(), prepared("node")?])
}

pub fn go() -> Option<Vec<String>> {
    Some(vec![prepared("go")?])
}

/// Those that can be started here, by name.
pub async fn all() -> Vec<(&'static str, Vec<String>)> {
    let mut all = vec![("rust", rust()), ("python", python().await)];
    all.extend(node().map(|command| ("node", command)));
    all.extend(go().map(|command| ("go", command)));
    all
}

/// Of a cache that `mono-demo doctor --fix` prepares.
fn prepared(client: &str) -> Option<String> {
    let output = Command::new(BIN)
        .args(["--json", "doctor", "--fix"])
        .env("XDG_CACHE_HOME", shared_cache().join("xdg"))
        .output()
        .expect("the program starts");
    let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let path = said["findings"][client]["path"].as_str();
    if path.is_none() {
        left_out(client, &format!("doctor found no client: {}", said["findings"][client]));
    }
    path.map(str::to_owned)
}
