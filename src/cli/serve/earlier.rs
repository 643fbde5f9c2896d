//! Journals of earlier systems on the same servers: what is left of them where all of their streams were
//! deleted while nothing served, since nothing in NATS remembers them then.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::journals::Journals;
use super::others::Others;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::shell::word;
use crate::counted::counted;
use crate::given::read_private;
use crate::modules::journal;
use crate::mono::{places, without_secrets};
use crate::whole;
use crate::wire::journal::{ChargeOutcome, ChargeRecord};

/// In a folder of journals: by which URLs its system was served, each in its one form.
const SERVERS: &str = "servers.txt";
/// In one that the user named: the systems that were served with it.
const SYSTEMS: &str = "systems.txt";
const CHARGES: &str = "gateway.jsonl";

/// Notes at which servers the system of these journals is. A sentence for each other one there that has
/// charges, which this one does not know, or whose journals cannot be read: at each start, for as long as they
/// lie there. A system that another `serve` serves here, or has proved to serve elsewhere, as in another
/// account, has lost nothing. `again` names the server in commands.
///
/// # Errors
/// It cannot be noted, or what was noted cannot be read: it would be found by none of its other servers.
pub(super) async fn told(
    journals: &Journals,
    url: &str,
    again: &str,
    others: &Others,
    context: &Context,
) -> Result<Vec<String>, CliError> {
    let (folder, named_for) = (journals.folder.clone(), journals.named_for.clone());
    if named_for.is_none() && journals.named_after_system().is_none() {
        return Ok(Vec::new());
    }
    let (url, again, served) = (url.to_owned(), again.to_owned(), others.journals());
    let all = context.state_dir().join("journals");
    let told = move || {
        let servers = places(&url);
        note_servers(&folder, &servers).map_err(|e| e.to_string())?;
        if let Some(system) = named_for {
            note_system(&folder, system).map_err(|e| e.to_string())?;
            // These journals can be used all the same.
            let linked = link(&all, &folder);
            return Ok(linked
                .err()
                .map(|error| unlinked(&folder, &all, &error))
                .into_iter()
                .collect());
        }
        let (lost, unread) = charged(&folder, &servers, &served)
            .map_err(|e| format!("the folders beside {}: {e}", folder.display()))?;
        Ok(unread.into_iter().chain(lost.iter().map(|found| left(&url, &again, found))).collect())
    };
    // It may sync: not on the runtime's thread.
    let told = tokio::task::spawn_blocking(told).await.unwrap_or_else(|e| Err(e.to_string()));
    told.map_err(|evidence| {
        CliError::infrastructure("serve: note at which servers the journals are used", evidence)
            .hint(
                "make it readable and writable for you, or name another folder with --journal-dir",
            )
    })
}

fn left(url: &str, again: &str, Charged { folder, charges, .. }: &Charged) -> String {
    format!(
        "an earlier system at {} has {} in its journals, and its streams are not here: unless it is \
         in another account, they were deleted, and what was paid there is charged again when it is \
         submitted again; `mono-demo serve {again} --journal-dir {}` goes on with these charges; this is said at each \
         start until that folder is moved away",
        without_secrets(url),
        counted(*charges, "charge"),
        word(folder.display())
    )
}

fn unread(folder: &Path, error: &io::Error) -> String {
    format!(
        "the journals in {} cannot be read: {error}: if their system was at this server, what was paid there \
         may be charged again; make them readable for you, or move that folder away",
        folder.display()
    )
}

fn unlinked(folder: &Path, all: &Path, error: &io::Error) -> String {
    format!(
        "the journals in {} are not noted in {}, so that no later start names their charges should their system be \
         lost: {error}",
        folder.display(),
        all.display()
    )
}

/// Has a folder that the user named found beside those that are named after their systems.
fn link(all: &Path, folder: &Path) -> io::Result<()> {
    let folder = folder.canonicalize()?;
    crate::private::folder(all)?;
    let hash = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let link = all.join(format!("named-{}", HEXLOWER.encode(&hash[..8])));
    match std::os::unix::fs::symlink(&folder, &link) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// At which servers the system of these journals was; nothing where nothing was noted yet.
fn servers(folder: &Path) -> io::Result<BTreeSet<String>> {
    Ok(places(&noted(&folder.join(SERVERS))?))
}

/// The systems that were served with these journals; nothing where nothing was noted yet.
fn systems(folder: &Path) -> io::Result<BTreeSet<String>> {
    let noted = noted(&folder.join(SYSTEMS))?;
    Ok(noted.split(',').filter(|system| !system.is_empty()).map(str::to_owned).collect())
}

/// Adds those that are not noted yet.
fn note_servers(folder: &Path, new: &BTreeSet<String>) -> io::Result<()> {
    add(&folder.join(SERVERS), &servers(folder)?, new)
}

/// Adds this one, if it is not noted yet.
fn note_system(folder: &Path, system: String) -> io::Result<()> {
    add(&folder.join(SYSTEMS), &systems(folder)?, &BTreeSet::from([system]))
}

/// Adds to a file what it has not noted yet.
fn add(path: &Path, noted: &BTreeSet<String>, new: &BTreeSet<String>) -> io::Result<()> {
    if new.is_subset(noted) {
        return Ok(());
    }
    let all: Vec<&str> = noted.union(new).map(String::as_str).collect();
    let made = path.parent().map_or(Ok(()), crate::private::folder);
    made.and_then(|()| whole::write(path, all.join(",") + "\n")).map_err(|e| about(path, &e))
}

/// The text of a file; nothing where it is absent.
fn noted(path: &Path) -> io::Result<String> {
    match read_private(path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).trim().to_owned()),
        Err(error) if is_absent(&error) => Ok(String::new()),
        Err(error) => Err(about(path, &error)),
    }
}

/// The error, with the file that it is about.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The journals of other systems at one of these servers that no living `serve` uses, those that charged last
/// first; and a sentence for each that cannot be read.
fn charged(
    ours: &Path,
    servers: &BTreeSet<String>,
    served: &BTreeSet<PathBuf>,
) -> io::Result<(Vec<Charged>, Vec<String>)> {
    let (mut lost, mut unreadable) = (Vec::new(), Vec::new());
    let Some(above) = ours.parent() else { return Ok((lost, unreadable)) };
    let folders = match above.read_dir() {
        Err(error) if is_absent(&error) => return Ok((lost, unreadable)),
        folders => folders?,
    };
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let served: BTreeSet<PathBuf> = served.iter().map(|folder| real(folder)).collect();
    let system = ours.file_name().and_then(OsStr::to_str).unwrap_or_default();
    for entry in folders {
        // One that the user named is behind a link.
        let folder = real(&entry?.path());
        if folder == real(ours) || served.contains(&folder) {
            continue;
        }
        // This system was served with it: what it has charged is settled in the ledger here.
        if systems(&folder).is_ok_and(|systems| systems.contains(system)) {
            continue;
        }
        match charged_at(&folder, servers) {
            Ok(found) => lost.extend(found),
            Err(error) => unreadable.push(unread(&folder, &error)),
        }
    }
    lost.sort_by(|one, other| other.cmp(one));
    Ok((lost, unreadable))
}

/// The journals of another system; in the order in which they charged last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Charged {
    at: SystemTime,
    folder: PathBuf,
    charges: u64,
}

/// What a system that was at one of these servers has charged, if anything.
fn charged_at(folder: &Path, ours: &BTreeSet<String>) -> io::Result<Option<Charged>> {
    if servers(folder)?.is_disjoint(ours) {
        return Ok(None);
    }
    let path = folder.join(CHARGES);
    let found = match path.metadata() {
        Err(error) if is_absent(&error) => return Ok(None),
        found => found?,
    };
    // A pipe would be waited for.
    if !found.is_file() {
        return Err(io::Error::other(format!("{CHARGES} is not a file")));
    }
    let records = journal::read::<ChargeRecord>(&path).map_err(io::Error::other)?.records;
    let is_approved = |record: &&ChargeRecord| record.outcome == ChargeOutcome::Approved;
    let charges = records.iter().filter(is_approved).count() as u64;
    let at = found.modified()?;
    Ok((charges > 0).then(|| Charged { at, folder: folder.to_owned(), charges }))
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
                "currency": "USD", "worker": "w",
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
            std::fs::write(folder.join(SERVERS), servers.to_owned() + "\n").unwrap();
            std::fs::write(folder.join(CHARGES), charges).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            std::fs::File::options()
                .write(true)
                .open(folder.join(CHARGES))
                .unwrap()
                .set_modified(at)
                .unwrap();
        }
        let served = BTreeSet::new();
        let found = |url: &str| {
            let (found, unread) = charged(&ours, &places(url), &served).unwrap();
            assert_eq!(unread, [""; 0]);
            found.into_iter().map(|it| (it.folder, it.charges)).collect::<Vec<_>>()
        };
        let at = |name| all.path().join(name);
        assert_eq!(found("nats://h:2,nats://h:9"), [(at("system-e"), 1), (at("system-a"), 2)]);
        assert_eq!(found("nats://h:4"), []);
        // One whose system is served has lost nothing.
        let served = BTreeSet::from([at("system-e")]);
        let (left, _) = charged(&ours, &places("nats://h:2"), &served).unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
        // What cannot be read may have charges.
        std::fs::remove_file(at("system-e").join(SERVERS)).unwrap();
        std::fs::create_dir(at("system-e").join(SERVERS)).unwrap();
        std::fs::remove_file(at("system-a").join(CHARGES)).unwrap();
        std::fs::create_dir(at("system-a").join(CHARGES)).unwrap();
        let (left, unread) = charged(&ours, &places("nats://h:2"), &BTreeSet::new()).unwrap();
        assert_eq!((left.len(), unread.len()), (0, 2), "{left:?} {unread:?}");
        let none = charged(&all.path().join("missing/new"), &places("h"), &BTreeSet::new());
        assert_eq!(none.unwrap(), (Vec::new(), Vec::new()));
    }

    /// A folder that was named with `--journal-dir` is found, unless this system was served with it.
    #[test]
    fn a_folder_that_was_named_is_found_by_its_link() {
        let (all, books) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = books.path().canonicalize().unwrap();
        let all = all.path().join("journals");
        for _ in 0..2 {
            note_servers(&folder, &places("h:1")).unwrap();
            note_system(&folder, "system-a".to_owned()).unwrap();
            link(&all, &folder).unwrap();
        }
        assert_eq!(all.read_dir().unwrap().count(), 1);
        let record = serde_json::json!({
            "at": "", "key": "p", "content": "c", "outcome": "approved", "amount": "1",
            "currency": "USD", "worker": "w",
        });
        std::fs::write(folder.join(CHARGES), format!("{record}\n")).unwrap();
        let found = |system: &str, served: &[PathBuf]| {
            let served = served.iter().cloned().collect();
            let (found, unread) = charged(&all.join(system), &places("h:1"), &served).unwrap();
            assert_eq!(unread, [""; 0]);
            found.into_iter().map(|it| it.folder).collect::<Vec<_>>()
        };
        assert_eq!(found("system-b", &[]), std::slice::from_ref(&folder));
        assert!(found("system-a", &[]).is_empty());
        assert!(found("system-b", &[books.path().to_owned()]).is_empty());
        drop(books);
        assert!(found("system-b", &[]).is_empty(), "it was moved away");
    }

    #[test]
    fn servers_that_cannot_be_read_are_not_written_over() {
        let all = tempfile::tempdir().unwrap();
        let path = all.path().join(SERVERS);
        // Others may write it: it is not believed, and it says more than we would write.
        std::fs::write(&path, "h:1\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&path, mode).unwrap();
        let error = note_servers(all.path(), &places("nats://h:2")).unwrap_err();
        assert!(error.to_string().contains("others may write it"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "h:1\n");
    }

    #[test]
    fn servers_are_written_down_when_one_is_new_and_only_then() {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("system-a");
        let text = || std::fs::read_to_string(folder.join(SERVERS)).unwrap();
        note_servers(&folder, &places("nats://localhost")).unwrap();
        assert_eq!(text(), "localhost:4222\n");
        let written =
            || std::os::unix::fs::MetadataExt::ino(&folder.join(SERVERS).metadata().unwrap());
        let before = written();
        note_servers(&folder, &places("127.0.0.1:4222/")).unwrap();
        assert_eq!(written(), before, "each writing makes a new file");
        note_servers(&folder, &places("nats://u:p@h:1")).unwrap();
        assert_eq!(text(), "h:1,localhost:4222\n");
    }
}
