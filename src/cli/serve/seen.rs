//! What the last look of a `serve` showed, kept beside its journals, so that the next one tells what is
//! gone since: a broker that was started again meanwhile counts nothing of it.

use std::path::Path;

use super::journals::Journals;
use super::snapshot::Snapshot;
use crate::given::{in_background, read_private};
use crate::mono::Connection;
use crate::whole;

const FILE: &str = "looked.json";

/// What was written last; nothing where nothing was, or where it cannot be read: what is missing then
/// is no worse known than before.
pub(super) async fn read(journals: &Path) -> Option<Snapshot> {
    let text = in_background(&journals.join(FILE), read_private).await.ok()?;
    let seen = serde_json::from_slice(&text);
    seen.inspect_err(|error| tracing::warn!(%error, "{FILE} beside the journals cannot be read"))
        .ok()
}

/// Writes a look that shows everything.
pub(super) async fn write(journals: &Journals, seen: &Snapshot) {
    if !seen.is_whole() {
        return;
    }
    let (path, temporary) = (journals.folder.join(FILE), journals.temporary);
    // Whoever reads it has another connection.
    let text = serde_json::json!(Snapshot { reconnects: u64::MAX, ..seen.clone() }).to_string();
    let write = move || match temporary {
        true => whole::write_for_now(&path, text + "\n"),
        false => whole::write(&path, text + "\n"),
    };
    // It may sync: not on the runtime's thread.
    let written = tokio::task::spawn_blocking(write).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(%error, "{FILE} is not written beside the journals");
    }
}

/// The last look of this `serve`, once it handles nothing any more.
pub(super) async fn last(journals: &Journals, connection: &Connection) {
    write(journals, &Snapshot::take(connection).await).await;
}
