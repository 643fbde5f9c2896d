//! Journals of earlier systems on the same servers: what is left of them where all of their streams were
//! deleted while nothing served, since nothing in NATS remembers them then.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::journals::Journals;
use super::others::Others;
use crate::cli::shell::word;
use crate::counted::counted;
use crate::given::read_private;
use crate::modules::journal;
use crate::mono::{places, without_secrets};
use crate::whole;
use crate::wire::journal::{ChargeOutcome, ChargeRecord};

/// In a folder of journals: by which URLs its system was served, each in its one form.
const FILE: &str = "servers.txt";
const CHARGES: &str = "gateway.jsonl";

/// Notes at which servers the system of these journals is. A sentence for each other one there that has
/// charges, which this one does not know: at each start, for as long as they lie there. A system that
/// another `serve` serves here, or has proved to serve elsewhere, as in another account, has lost nothing.
/// `again` names the server in commands.
pub(super) async fn told(
    journals: &Journals,
    url: &str,
    again: &str,
    others: &Others,
) -> Vec<String> {
    let Some(folder) = journals.named_after_system().map(Path::to_owned) else { return Vec::new() };
    let (url, again) = (url.to_owned(), again.to_owned());
    let alive = others.here.iter().chain(&others.elsewhere);
    let alive: BTreeSet<PathBuf> = alive.map(|other| other.journals.clone()).collect();
    let told = move || {
        let servers = places(&url);
        if let Err(error) = note(&folder, &servers) {
            tracing::warn!(%error, "{FILE} is not written beside the journals");
        }
        let charged = charged(&folder, &servers).into_iter();
        let lost = charged.filter(|(folder, _)| !alive.contains(folder));
        lost.map(|(folder, charges)| {
            format!(
                "an earlier system at {} has {} in its journals, and its streams are not here: unless it is \
                 in another account, they were deleted, and what was paid there is charged again when it is \
                 submitted again; `mono-demo serve {again} --journal-dir {}` goes on with these charges; this is said at each \
                 start until that folder is moved away",
                without_secrets(&url),
                counted(charges, "charge"),
                word(folder.display())
            )
        })
        .collect()
    };
    // It may sync: not on the runtime's thread.
    tokio::task::spawn_blocking(told).await.unwrap_or_default()
}

/// Adds what is not noted yet.
fn note(folder: &Path, servers: &BTreeSet<String>) -> std::io::Result<()> {
    let noted = noted(folder);
    if servers.is_subset(&noted) {
        return Ok(());
    }
    let all: Vec<&str> = noted.union(servers).map(String::as_str).collect();
    crate::private::folder(folder)?;
    whole::write(&folder.join(FILE), all.join(",") + "\n")
}

fn noted(folder: &Path) -> BTreeSet<String> {
    let text = read_private(&folder.join(FILE)).unwrap_or_default();
    places(String::from_utf8_lossy(&text).trim())
}

/// The journals of other systems at one of these servers, with how many charges they have; those that
/// charged last first.
fn charged(ours: &Path, servers: &BTreeSet<String>) -> Vec<(PathBuf, u64)> {
    let Some(Ok(beside)) = ours.parent().map(Path::read_dir) else { return Vec::new() };
    let beside = beside.flatten().map(|entry| entry.path());
    let there = beside.filter(|other| other != ours && !noted(other).is_disjoint(servers));
    let charged = there.filter_map(|folder| {
        let charges = folder.join(CHARGES);
        // A pipe would be waited for.
        let found = charges.metadata().ok().filter(|found| found.is_file())?;
        let at: SystemTime = found.modified().ok()?;
        let records = journal::read::<ChargeRecord>(&charges).ok()?.records;
        let is_approved = |record: &&ChargeRecord| record.outcome == ChargeOutcome::Approved;
        let approved = records.iter().filter(is_approved).count() as u64;
        (approved > 0).then_some((at, folder, approved))
    });
    let mut charged: Vec<(SystemTime, PathBuf, u64)> = charged.collect();
    charged.sort_by(|one, other| other.cmp(one));
    charged.into_iter().map(|(_, folder, charges)| (folder, charges)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_charged_at_one_of_the_servers_are_found_the_latest_first() {
        let all = tempfile::tempdir().unwrap();
        let ours = all.path().join("system-new");
        let line = |outcome: &str| {
            let record = serde_json::json!({
                "at": "", "key": "p", "content": "c", "outcome": outcome, "amount": "1",
            });
            format!("{record}\n")
        };
        let (paid, declined) = (line("approved"), line("declined"));
        for (age, (name, servers, charges)) in [
            ("system-a", "nats://h:1,nats://h:2", format!("{paid}{declined}{paid}")),
            ("system-b", "nats://h:3", paid.clone()),
            ("system-c", "nats://h:1", String::new()),
            ("system-d", "", paid.clone()),
            ("system-e", "H:2", paid.clone()),
            ("system-f", "H:2", declined.clone()),
        ]
        .into_iter()
        .enumerate()
        {
            let folder = all.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join(FILE), servers.to_owned() + "\n").unwrap();
            std::fs::write(folder.join(CHARGES), charges).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            std::fs::File::options()
                .write(true)
                .open(folder.join(CHARGES))
                .unwrap()
                .set_modified(at)
                .unwrap();
        }
        let found = charged(&ours, &places("nats://h:2,nats://h:9"));
        let at = |name| all.path().join(name);
        assert_eq!(found, [(at("system-e"), 1), (at("system-a"), 2)]);
        assert_eq!(charged(&ours, &places("nats://h:4")), []);
        assert_eq!(charged(&all.path().join("missing/system-new"), &places("nats://h:1")), []);
    }

    #[test]
    fn servers_are_written_down_when_one_is_new_and_only_then() {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("system-a");
        let text = || std::fs::read_to_string(folder.join(FILE)).unwrap();
        note(&folder, &places("nats://localhost")).unwrap();
        assert_eq!(text(), "localhost:4222\n");
        let written =
            || std::os::unix::fs::MetadataExt::ino(&folder.join(FILE).metadata().unwrap());
        let before = written();
        note(&folder, &places("127.0.0.1:4222/")).unwrap();
        assert_eq!(written(), before, "each writing makes a new file");
        note(&folder, &places("nats://u:p@h:1")).unwrap();
        assert_eq!(text(), "h:1,localhost:4222\n");
    }
}
