//! Journals of an earlier system on the same servers: what is left of it where all of its streams were
//! deleted while nothing served, since nothing in NATS remembers them then.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::journals::Journals;
use crate::counted::counted;
use crate::given::read_private;
use crate::mono::without_secrets;
use crate::whole;

/// In a folder of journals: at which servers its system is, as a URL without secrets.
const FILE: &str = "servers.txt";
const CHARGES: &str = "gateway.jsonl";

/// Notes at which servers the system of these journals is. Where that is new, says what it says of an
/// earlier one there, whose charges it does not know.
pub(super) async fn told_once(journals: &Journals, url: &str) -> Option<String> {
    let (folder, servers) = (journals.named_after_system()?.to_owned(), without_secrets(url));
    let told = move || {
        let earlier = if folder.exists() { None } else { latest(&folder, &servers) };
        let noted = crate::private::folder(&folder)
            .and_then(|()| whole::write(&folder.join(FILE), servers.clone() + "\n"));
        if let Err(error) = noted {
            tracing::warn!(%error, "{FILE} is not written beside the journals");
        }
        let (folder, charges) = earlier?;
        Some(format!(
            "an earlier system at {servers} has {} in its journals, and its streams are not here: unless \
             it is in another account, they were deleted, and what was paid there is charged again when \
             it is submitted again; `serve --journal-dir {}` goes on with these charges",
            counted(charges, "charge"),
            folder.display()
        ))
    };
    // It may sync: not on the runtime's thread.
    tokio::task::spawn_blocking(told).await.ok()?
}

/// Of the other systems at one of these servers, the one that charged last, with how often it did.
fn latest(folder: &Path, servers: &str) -> Option<(PathBuf, u64)> {
    let beside = folder.parent()?.read_dir().ok()?.flatten().map(|entry| entry.path());
    let there = beside.filter(|other| other != folder && is_at(other, servers));
    let charged = there.filter_map(|other| {
        let charges = other.join(CHARGES);
        // A pipe would be waited for.
        let found = charges.metadata().ok().filter(|found| found.is_file())?;
        let at: SystemTime = found.modified().ok()?;
        let lines = BufReader::new(File::open(charges).ok()?).split(b'\n');
        let lines = lines.map_while(Result::ok).filter(|line| !line.trim_ascii().is_empty());
        let lines = lines.count() as u64;
        (lines > 0).then_some((at, other, lines))
    });
    charged.max_by_key(|(at, ..)| *at).map(|(_, other, lines)| (other, lines))
}

fn is_at(folder: &Path, servers: &str) -> bool {
    let noted = read_private(&folder.join(FILE)).unwrap_or_default();
    let noted = String::from_utf8_lossy(&noted);
    let noted: BTreeSet<&str> = noted.trim().split(',').collect();
    servers.split(',').any(|server| noted.contains(server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_charged_last_at_one_of_the_servers_is_found() {
        let all = tempfile::tempdir().unwrap();
        let ours = all.path().join("system-new");
        for (name, servers, charges) in [
            ("system-a", "nats://h:1,nats://h:2", "{}\n{}\n"),
            ("system-b", "nats://h:3", "{}\n"),
            ("system-c", "nats://h:1", ""),
            ("system-d", "", "{}\n"),
        ] {
            let folder = all.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join(FILE), servers.to_owned() + "\n").unwrap();
            std::fs::write(folder.join(CHARGES), charges).unwrap();
        }
        let found = latest(&ours, "nats://h:2,nats://h:9").unwrap();
        assert_eq!(found, (all.path().join("system-a"), 2));
        assert_eq!(latest(&ours, "nats://h:4"), None);
        assert_eq!(latest(&all.path().join("missing/system-new"), "nats://h:1"), None);
    }
}
