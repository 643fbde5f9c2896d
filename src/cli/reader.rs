//! Whether anybody still reads what is written.

use std::io;
use std::os::fd::OwnedFd;

/// Returns when nobody reads this end any more, where that can be seen: the other end of a pipe or socket
/// was closed. Nothing is written there, and it stays blocking for whoever shares it.
pub async fn reader_gone(end: io::Result<OwnedFd>) {
    #[cfg(target_os = "linux")]
    {
        use tokio::io::{Interest, unix::AsyncFd};
        #[expect(
            deprecated,
            reason = "it is unsound for what lends a descriptor out, not for one that is owned"
        )]
        let watch = |end| AsyncFd::with_interest(end, Interest::WRITABLE);
        // A file cannot be watched, and needs no reader.
        if let Ok(end) = end.and_then(watch) {
            while let Ok(mut found) = end.ready(Interest::WRITABLE).await {
                if found.ready().is_write_closed() {
                    return;
                }
                // That there is room says nothing; the end of the reader is heard as well.
                found.clear_ready();
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    drop(end);
    std::future::pending().await
}
