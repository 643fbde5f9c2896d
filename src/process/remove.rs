//! Removes folders.

use std::io;
use std::path::Path;
use std::time::Duration;

/// Removes a folder that processes which have just been killed may still be writing into.
pub(super) fn remove_tree(folder: &Path) {
    for _ in 0..50 {
        match std::fs::remove_dir_all(folder) {
            Ok(()) => return,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            // A dying grandchild is not ours to wait for, and can add a file between the listing and
            // the removal; it is gone within milliseconds.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
