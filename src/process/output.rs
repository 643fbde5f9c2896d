//! The output of a child on one pipe, byte by byte: kept up to a limit, and the digest of the rest.

use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::channel::lock;

/// How many bytes are kept.
const MOST_KEPT: usize = 4 << 20;

/// What has come so far; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Output(Arc<Mutex<Printed>>);

#[derive(Debug, Default)]
struct Printed {
    kept: Vec<u8>,
    more: usize,
    digest: Sha256,
}

impl Output {
    pub(super) fn add(&self, bytes: &[u8]) {
        let mut printed = lock(&self.0);
        let room = MOST_KEPT.saturating_sub(printed.kept.len()).min(bytes.len());
        printed.kept.extend_from_slice(&bytes[..room]);
        let rest = &bytes[room..];
        if !rest.is_empty() {
            printed.more += rest.len();
            printed.digest.update(rest);
        }
    }

    /// The output; a rest that was not kept is one more line with its digest.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let printed = lock(&self.0);
        let mut bytes = printed.kept.clone();
        if printed.more > 0 {
            let digest = HEXLOWER.encode(&printed.digest.clone().finalize()[..8]);
            bytes.extend(format!("\n({} more bytes, sha256 {digest})\n", printed.more).as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_told_by_its_digest() {
        let printed = |end: &[u8]| {
            let output = Output::default();
            output.add(&[b'x'; MOST_KEPT - 1]);
            output.add(b"yz");
            output.add(end);
            output.bytes()
        };
        assert_ne!(printed(b"a"), printed(b"b"));
        let bytes = printed(b"a");
        let end = String::from_utf8_lossy(&bytes[MOST_KEPT - 1..]);
        assert!(end.starts_with("y\n(2 more bytes, sha256 "), "{end}");
    }
}
