//! A damaged store: losses are named, and nothing is created again silently.
//!
//! `docs/guarantees.md` says what nats-server itself does in each case: mostly it reports nothing.

use std::path::{Path, PathBuf};

use crate::support;
use crate::support::program::{Home, Said};

/// Payments that are charged.
const CHARGED: [&str; 6] = ["pay-1", "pay-2", "pay-3", "pay-4", "pay-5", "pay-6"];

/// Claimed by a worker, then waiting; and waiting without a claim.
const SETTINGS: &str = r#"
[payment]
concurrency = 1
gateway = [{ id = "slow-1", outcome = "hang" }]
"#;

#[derive(Debug, Clone, Copy)]
enum Damage {
    /// One bit, in the middle of the record of this payment.
    FlippedBit(&'static str),
    /// The same, and the index that could tell was not written: a crash.
    FlippedBitNoIndex(&'static str),
    /// The block ends within the record of this payment.
    CutBlock(&'static str),
    /// The description of the stream.
    FlippedMeta,
    /// All messages, and the stream's description is there.
    NoMessages,
    /// The whole stream.
    NoFolder,
}

use Damage::{CutBlock, FlippedBit, FlippedBitNoIndex, FlippedMeta, NoFolder, NoMessages};

impl Damage {
    fn apply(self, stream: &Path) {
        let edit = |path: &Path, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = std::fs::read(path).unwrap();
            change(&mut bytes);
            std::fs::write(path, bytes).unwrap();
        };
        match self {
            Self::FlippedBit(id) => {
                let (block, at) = place(stream, id);
                edit(&block, &|bytes| bytes[at] ^= 1);
            }
            Self::FlippedBitNoIndex(id) => {
                Self::FlippedBit(id).apply(stream);
                std::fs::remove_file(stream.join("msgs/index.db")).unwrap();
            }
            Self::CutBlock(id) => {
                let (block, at) = place(stream, id);
                edit(&block, &|bytes| bytes.truncate(at));
            }
            Self::FlippedMeta => edit(&stream.join("meta.inf"), &|bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }),
            Self::NoMessages => std::fs::remove_dir_all(stream.join("msgs")).unwrap(),
            Self::NoFolder => std::fs::remove_dir_all(stream).unwrap(),
        }
    }
}

/// Where the body of a payment's last record names it: the block, and the byte.
fn place(stream: &Path, id: &str) -> (PathBuf, usize) {
    let name = format!("\"payment_id\":\"{id}\"");
    let blocks = stream.join("msgs").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let found =
        blocks.filter(|path| path.extension().is_some_and(|e| e == "blk")).find_map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let at = bytes.windows(name.len()).rposition(|window| window == name.as_bytes())?;
            Some((path, at))
        });
    found.unwrap_or_else(|| panic!("no block of {} has {id}", stream.display()))
}

/// A store with payments of every kind, written by `serve` and stopped in order.
struct Store {
    home: Home,
}

impl Store {
    fn written() -> Self {
        let store = Self { home: Home::new() };
        std::fs::write(store.home.path().join("settings.toml"), SETTINGS).unwrap();
        let serve = store.home.serve(&serve_args("base"));
        for id in CHARGED {
            store.home.run(&["pay", id, "5.00"]).ok();
        }
        store.home.run(&["pay", "slow-1", "5.00", "--no-wait"]).ok();
        let claimed = || store.home.run(&["call", "payment", "status", "slow-1"]).ok();
        support::eventually("it is in hand", std::time::Duration::from_secs(10), || {
            claimed().starts_with("processing")
        });
        store.home.run(&["pay", "waits-1", "5.00", "--no-wait"]).ok();
        serve.signal("TERM");
        let (code, _, stderr) = serve.ended();
        assert_eq!(code, Some(0), "{stderr}");
        store
    }

    /// A copy of the store, damaged.
    fn damaged(&self, stream: &str, damage: Option<Damage>) -> String {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("copy-{n}");
        support::copy(&self.path("base"), &self.path(&name));
        if let Some(damage) = damage {
            damage.apply(&self.streams(&name).join(stream));
        }
        name
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn streams(&self, name: &str) -> PathBuf {
        self.path(name).join("jetstream/$G/streams")
    }

    /// What is in the folder of streams: a stream has a `meta.inf`.
    fn listed(&self, name: &str) -> Vec<String> {
        let folders = self.streams(name).read_dir().unwrap().map(|entry| entry.unwrap());
        let has_meta = |folder: &std::fs::DirEntry| folder.path().join("meta.inf").exists();
        let mut names: Vec<String> =
            folders.filter(has_meta).map(|f| f.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `serve` on a store; what it said if it refuses, else what `audit` says.
    fn served(&self, name: &str, more: &[&str]) -> Result<Said, Box<Said>> {
        let serve = self.home.try_serve(&[&serve_args(name)[..], more].concat())?;
        let said = self.home.run(&["audit"]);
        serve.signal("TERM");
        let (code, _, stderr) = serve.ended();
        assert_eq!(code, Some(0), "{stderr}");
        // What it makes anew itself is nobody else's doing.
        let recreates = more.contains(&"--recreate");
        assert!(!recreates || !stderr.contains("by somebody else"), "{stderr}");
        Ok(said)
    }
}

fn serve_args(store: &str) -> [&str; 8] {
    let drain = ["--drain-timeout", "200ms"];
    ["--port", "0", "--store-dir", store, "--settings", "settings.toml", drain[0], drain[1]]
}

/// What is damaged, whether `serve` starts on it all the same, and what must be said.
const CASES: [(&str, Damage, bool, &str); 18] = [
    (
        "payment-ledger",
        FlippedBit("pay-3"),
        true,
        "`payment-ledger`: message 3 is missing or unreadable",
    ),
    (
        "payment-ledger",
        FlippedBitNoIndex("pay-3"),
        false,
        "`payment-ledger` had 6 messages, and has 2",
    ),
    ("payment-ledger", CutBlock("pay-5"), false, "`payment-ledger` had 6 messages, and has 4"),
    ("payment-ledger", FlippedMeta, false, "stream `payment-ledger` does not exist"),
    ("payment-ledger", NoMessages, false, "`payment-ledger` had 6 messages, and has 0"),
    ("payment-ledger", NoFolder, false, "stream `payment-ledger` does not exist"),
    (
        "payment-intents",
        FlippedBit("pay-3"),
        true,
        "`payment-intents`: message 3 is missing or unreadable",
    ),
    (
        "payment-intents",
        FlippedBitNoIndex("pay-3"),
        false,
        "`payment-intents` had 7 messages, and has 2",
    ),
    ("payment-intents", CutBlock("pay-5"), false, "`payment-intents` had 7 messages, and has 4"),
    ("payment-intents", FlippedMeta, false, "stream `payment-intents` does not exist"),
    ("payment-intents", NoFolder, false, "stream `payment-intents` does not exist"),
    (
        "payment-requests",
        FlippedBit("waits-1"),
        true,
        "`payment-requests`: message 8 is missing or unreadable",
    ),
    (
        "payment-requests",
        FlippedBit("slow-1"),
        true,
        "`payment-requests`: message 7 is missing or unreadable",
    ),
    (
        "payment-requests",
        CutBlock("slow-1"),
        false,
        "`payment-requests` had 2 messages waiting, and has 0",
    ),
    (
        "payment-requests",
        CutBlock("waits-1"),
        false,
        "`payment-requests` had 2 messages waiting, and has 1",
    ),
    ("payment-requests", FlippedMeta, false, "stream `payment-requests` does not exist"),
    (
        "payment-requests",
        NoMessages,
        false,
        "stream `payment-requests` ended with message 8, and ends with 0",
    ),
    ("payment-requests", NoFolder, false, "stream `payment-requests` does not exist"),
];

#[test]
fn what_a_damaged_store_has_lost_is_named_and_nothing_is_made_anew() {
    let store = Store::written();
    let mut wrong = Vec::new();
    for (stream, damage, starts, needle) in CASES {
        let name = store.damaged(stream, Some(damage));
        let before = store.listed(&name);
        let (started, said) = match store.served(&name, &[]) {
            Ok(audit) => (true, audit.failed(1, "").stdout),
            Err(refusal) => (false, refusal.failed(3, "nothing was made anew").stderr),
        };
        if started != starts || !said.contains(needle) {
            wrong.push(format!("{stream} {damage:?}: started {started}, wanted {needle}:\n{said}"));
        }
        assert_eq!(store.listed(&name), before, "{stream} {damage:?}");
        // The same store, as it was found, without any service.
        let name = store.damaged(stream, Some(damage));
        let said = store.home.run(&["audit", "--store-dir", &name]).failed(1, "").stdout;
        if !said.contains("PROBLEM") || !said.contains(stream) {
            wrong.push(format!("{stream} {damage:?}, at rest: wanted {needle}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_store_without_damage_is_consistent_also_after_a_kill() {
    let store = Store::written();
    let name = store.damaged("", None);
    let said = store.home.run(&["audit", "--store-dir", &name]).ok();
    assert!(said.ends_with("consistent\n") && said.contains("2 waiting, 7 claims"), "{said}");
    for _ in 0..2 {
        let serve = store.home.serve(&serve_args(&name));
        store.home.run(&["pay", "waits-2", "1.00", "--no-wait"]).ok();
        serve.signal("KILL");
        serve.ended();
    }
    let Ok(said) = store.served(&name, &[]) else { panic!("it starts") };
    let said = said.ok();
    assert!(said.ends_with("consistent\n"), "{said}");
}

#[test]
fn a_lost_ledger_is_made_anew_only_on_request_and_the_audit_still_knows() {
    let store = Store::written();
    let name = store.damaged("payment-ledger", Some(NoFolder));
    let Ok(said) = store.served(&name, &["--recreate"]) else { panic!("it starts") };
    let said = said.failed(1, "").stdout;
    assert!(said.contains("payment `pay-1` was charged 5.00 USD and has no outcome"), "{said}");
    assert!(store.listed(&name).contains(&"payment-ledger".to_owned()));

    // Where only the description was lost, the messages are still there.
    let name = store.damaged("payment-ledger", Some(FlippedMeta));
    let Ok(said) = store.served(&name, &["--recreate"]) else { panic!("it starts") };
    let said = said.ok();
    assert!(!said.contains(" 0 completed") && said.ends_with("consistent\n"), "{said}");
}

#[test]
fn what_cannot_be_audited_is_said() {
    let store = Store::written();
    let audit = |name: &str| store.home.run(&["audit", "--store-dir", name]);
    audit("nowhere").failed(2, "it has no folder `jetstream`");
    assert!(!store.path("nowhere").exists());
    // What cannot be looked into is not said to have nothing in it.
    std::os::unix::fs::symlink("loop", store.path("loop")).unwrap();
    let said = audit("loop").failed(2, "loop cannot be read: ");
    assert!(said.stderr.contains("Too many levels of symbolic links"), "{}", said.stderr);
    let name = store.damaged("", None);
    std::fs::remove_file(store.path(&name).join("journals/gateway.jsonl")).unwrap();
    audit(&name).failed(3, "gateway.jsonl");
    let name = store.damaged("", None);
    let journal = store.path(&name).join("journals/gateway.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen('{', "\u{1b}[31m", 1)).unwrap();
    let said = audit(&name).failed(1, "").stdout;
    assert!(said.contains("gateway.jsonl`: `at byte 0:") && !said.contains('\u{1b}'), "{said}");
    assert!(said.contains("payment `pay-1` is completed and was never charged"), "{said}");
    let books = store.path(&name).join("journals/streams.json");
    std::fs::write(&books, "{").unwrap();
    audit(&name).failed(3, "streams.json");
    let _serve = store.home.serve(&serve_args("base"));
    audit("base").failed(3, "is in use by process");
    store
        .home
        .run(&["audit", "--store-dir", "base", "--server", "nats://127.0.0.1:1"])
        .failed(2, "");
}
