//! A bare nats-server with a configuration of its own: somebody else's.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{eventually, nats_server};

/// Killed when the test is over.
pub struct BareServer {
    child: Child,
    file: PathBuf,
    pub nats: String,
    pub websocket: String,
}

impl BareServer {
    /// With a plain websocket beside it, unless `config` says how its websocket is to be.
    pub async fn start(folder: &Path, name: &str, config: &str) -> Self {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("server.conf");
        let websocket = match config.contains("websocket {") {
            true => "",
            false => "websocket { listen: \"127.0.0.1:-1\", no_tls: true }",
        };
        let ports_folder = folder.display().to_string();
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: {ports_folder:?}\n{websocket}\n{config}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(nats_server().await.path);
        let log = std::fs::File::create(folder.join("log")).unwrap();
        command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().unwrap();
        let ports = folder.join(format!("nats-server_{}.ports", child.id()));
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&ports).ok()?).ok();
        eventually("the server listens", Duration::from_secs(10), || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("{name}: {status}: {log}");
            }
            read().is_some()
        });
        let ports = read().unwrap();
        let first = |kind: &str| ports[kind][0].as_str().unwrap().to_owned();
        Self { nats: first("nats"), websocket: first("websocket"), child, file }
    }

    /// Takes up another configuration, on the same ports.
    pub fn reload(&self, config: &str) {
        let (nats, websocket) = (self.host(), self.websocket_host());
        let text = format!(
            "listen: {nats:?}\nwebsocket {{ listen: {websocket:?}, no_tls: true }}\n{config}\n"
        );
        std::fs::write(&self.file, text).unwrap();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }

    /// `host:port`.
    pub fn host(&self) -> &str {
        self.nats.split("://").nth(1).unwrap()
    }

    /// `host:port` of the websocket.
    pub fn websocket_host(&self) -> &str {
        self.websocket.split("://").nth(1).unwrap()
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
