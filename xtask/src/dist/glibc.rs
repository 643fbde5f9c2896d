//! On which systems a program runs: the versions of glibc that its symbols name.

use std::path::Path;

use super::shell::{Run as _, command};

/// glibc of Debian 10, RHEL 8 and Ubuntu 18.10, which the platform tag of the wheel promises.
const NEWEST: (u32, u32) = (2, 28);

/// # Errors
/// If the program wants a newer glibc, or none at all: then nothing was read.
pub fn check(program: &Path) -> Result<(), String> {
    let said = command("objdump").arg("-T").arg(program).said()?;
    let found = newest(&said).ok_or_else(|| format!("{} names no glibc", program.display()))?;
    println!("the program wants glibc {}.{}", found.0, found.1);
    match found <= NEWEST {
        true => Ok(()),
        false => Err(format!(
            "{} wants glibc {}.{}, newer than {}.{}",
            program.display(),
            found.0,
            found.1,
            NEWEST.0,
            NEWEST.1
        )),
    }
}

fn newest(symbols: &str) -> Option<(u32, u32)> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let mut numbers = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_newest_is_found_by_number() {
        let symbols =
            " DF *UND*  (GLIBC_2.2.5) read\n DF *UND*  (GLIBC_2.28) fcntl64\n (GLIBC_2.9) x";
        assert_eq!(newest(symbols), Some((2, 28)));
        assert_eq!(newest("no symbols"), None);
    }
}
