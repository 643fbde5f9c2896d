//! Secrets that nobody can guess.

use std::fs::File;
use std::io::{self, Read as _};

use data_encoding::HEXLOWER;

/// 128 bits from the system, as text of 32 digits.
///
/// A NUID, which names our servers, is unique but can be guessed from the one before it.
///
/// # Errors
/// The system has no randomness.
pub fn draw_secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_new_each_time() {
        let (a, b) = (draw_secret().unwrap(), draw_secret().unwrap());
        assert_eq!((a.len(), b.len()), (32, 32));
        assert_ne!(a, b);
    }
}
