//! Remembers the versions of checked servers, so that they need not be run again.
//!
//! Running `--version` takes a third of the time of the whole start. The result is kept in the
//! cache folder, and is valid as long as the file is not changed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::asked::{NatsServer, check};
use super::cache::{Stamp, check_private, read_json, sha256_of, write_json};
use super::error::ProvisionError;
use super::settings::Settings;
use super::source::Source;

/// A smaller file is a script that runs a server, which may change without the script.
const SMALLEST_SERVER: u64 = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Checked {
    path: PathBuf,
    stamp: Stamp,
    version: String,
}

/// As [`server::check`](super::server::check), without running a file that has been checked before.
pub(super) async fn check_once(
    settings: &Settings,
    path: &Path,
    source: Source,
) -> Result<NatsServer, ProvisionError> {
    let oldest = settings.oldest(source);
    let Some((path, stamp)) = identity(path) else {
        return check(path, source, &oldest).await;
    };
    let key = sha256_of(&path.to_string_lossy());
    let note = settings.cache_dir.join("checked").join(format!("{}.json", &key[..16]));
    if check_private(&note).is_ok()
        && let Some(known) = read_json::<Checked>(&note)
        && known.path == path
        && known.stamp == stamp
        && let Some(server) = NatsServer::known(&path, &known.version, source, &oldest)
    {
        return Ok(server);
    }
    let server = check(&path, source, &oldest).await?;
    let checked = Checked { version: server.version.to_string(), path, stamp };
    // Only to be faster next time: a cache folder that cannot be written is no reason to fail.
    let _ = super::cache::make_private(note.parent().unwrap_or(&note))
        .and_then(|()| write_json(&note, &checked));
    Ok(server)
}

fn identity(path: &Path) -> Option<(PathBuf, Stamp)> {
    let path = std::path::absolute(path).ok()?;
    let stamp = Stamp::of(&path).ok()?;
    (stamp.size() >= SMALLEST_SERVER).then_some((path, stamp))
}
