//! How the driver of each language is started; `None` where the tools of a language are missing.

use std::process::Command;

use mono_demo::provision;
use serde_json::Value;

use super::expected::left_out;
use super::{root, shared_cache};

const BIN: &str = env!("CARGO_BIN_EXE_mono-demo");

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
