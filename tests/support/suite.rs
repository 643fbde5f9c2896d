//! A small suite in a folder of its own, with clients that run in the test's process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mono_demo::broker::Roles;
use mono_demo::e2e::driver::TypedCalls;
use mono_demo::e2e::report::{Look, Reporter, Terminal};
use mono_demo::e2e::run::{Client, Machine};
use mono_demo::e2e::scenario::{Hazards, Leaks};
use mono_demo::e2e::session::{self, Again, ClientUnderTest, Filter, Mode, Settings};
use mono_demo::e2e::text::Schemas;
use mono_demo::e2e::verdict::event::{Invocation, Summary};
use mono_demo::mono::Caller;
use mono_demo::wire::driver::Outcome;
use serde_json::{Map, Value, json};

use super::{nats_server, reaper};

/// Answers every call with its word, except those that say what else to do.
pub struct Fake(pub &'static str);

impl TypedCalls for Fake {
    fn call(
        &self,
        _: Caller,
        method: String,
        args: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        let word = self.0;
        async move {
            match method.as_str() {
                "fake.panic" => panic!("a bug in the client"),
                "fake.skip" => Outcome::Skip("cannot do that".to_owned()),
                "fake.echo" => Outcome::Ok(args.into_iter().next().unwrap_or_default()),
                _ => Outcome::Ok(json!(word)),
            }
        }
        .boxed()
    }
}

/// A client under test.
pub fn client(name: &str, client: Client) -> ClientUnderTest {
    ClientUnderTest { name: name.to_owned(), client, only_where_named: false }
}

/// A client under test that runs in this process.
pub fn in_process(name: &str, calls: impl TypedCalls + 'static) -> ClientUnderTest {
    client(name, Client::InProcess(Arc::new(calls)))
}

/// A suite: two runs at a time, no services, nothing forbidden at the broker, golden files compared.
/// A test changes the settings in which it differs.
#[must_use]
pub struct Suite {
    folder: tempfile::TempDir,
    pub settings: Settings,
}

impl Suite {
    /// Writes the scenarios, each by its name, which is its description too, with all that follows.
    pub async fn new(clients: Vec<ClientUnderTest>, scenarios: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = folder.path().join("fixtures");
        let run_root = folder.path().join("runs");
        std::fs::create_dir_all(&run_root).unwrap();
        for (name, text) in scenarios {
            let path = fixtures.join(format!("{name}.toml"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("description = \"{name}\"\n{text}")).unwrap();
        }
        let settings = Settings {
            fixtures,
            filter: Filter::default(),
            clients,
            known_clients: Vec::new(),
            known_services: Vec::new(),
            commands: None,
            jobs: 2,
            mode: Mode::Compare,
            fail_fast: false,
            again: Again::Never,
            cluster: None,
            machine: Machine {
                aloud: false,
                server: Ok(nats_server().await),
                reaper: reaper(),
                run_root,
                services: Arc::new(|_| Vec::new()),
                roles: Roles::unlimited(),
                variables: BTreeMap::new(),
                redact: Vec::new(),
                leaders: Vec::new(),
                root: folder.path().to_owned(),
                shown_from: folder.path().to_owned(),
                seed: 7,
                histories: None,
                oracles: Vec::new(),
                dying_client: None,
                leaks: Leaks::default(),
                hazards: Hazards::Ignore,
            },
            defaults: Default::default(),
            promises: Default::default(),
            schemas: Schemas::default(),
            validate_services: Arc::new(|_| Ok(())),
            command: "mono-demo e2e".to_owned(),
            pass_with_no_runs: false,
            invocation: Invocation { suite: "small".to_owned(), ..Invocation::default() },
        };
        Self { folder, settings }
    }

    /// What `{{name}}` stands for.
    pub fn variable(&mut self, name: &str, value: impl Into<String>) {
        self.settings.machine.variables.insert(name.to_owned(), Ok(value.into()));
    }

    /// A file of the suite's folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file beside the fixtures.
    pub fn golden(&self, name: &str) -> PathBuf {
        self.settings.fixtures.join(name)
    }

    /// How many fixtures it has.
    pub fn count(&self) -> usize {
        let files = std::fs::read_dir(&self.settings.fixtures).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "toml"))
            .count()
    }

    /// Runs it; the summary, and what a terminal shows.
    pub async fn run(&self) -> (Summary, String) {
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, Look::default());
        let summary = self.run_for(&mut [&mut terminal]).await;
        (summary, String::from_utf8(text).unwrap())
    }

    /// Runs it for these reporters.
    pub async fn run_for(&self, reporters: &mut [&mut dyn Reporter]) -> Summary {
        let summary =
            session::run(&self.settings, reporters, std::future::pending()).await.unwrap();
        let left = std::fs::read_dir(&self.settings.machine.run_root).unwrap().count();
        assert_eq!(left, 0, "folders are left behind");
        summary
    }
}
