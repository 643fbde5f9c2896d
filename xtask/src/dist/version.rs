//! The one version number: `Cargo.toml`'s. Other manifests must repeat it, since their tools read
//! nothing else.

use super::shell::read;
use crate::root;

/// Manifests of packages, and what stands before their version.
const OTHERS: [(&str, &str); 3] = [
    ("client/pyproject.toml", "version = \""),
    ("client/node/package.json", "  \"version\": \""),
    ("packaging/npm/package.json", "  \"version\": \""),
];

/// The version of all packages.
///
/// # Errors
/// Who says another one.
pub fn the_one() -> Result<String, String> {
    let one = of("Cargo.toml", "version = \"")?;
    for (file, before) in OTHERS {
        let other = of(file, before)?;
        if other != one {
            return Err(format!("{file} says {other}, Cargo.toml says {one}"));
        }
    }
    // The platform's package of the program is of the same version too.
    let text = read(&root().join("packaging/npm/package.json"))?;
    match text.contains(&format!("\"@mono-demo/linux-x64\": \"{one}\"")) {
        true => Ok(one),
        false => Err(format!("packaging/npm/package.json wants no @mono-demo/linux-x64 {one}")),
    }
}

/// The first version that a manifest says.
fn of(file: &str, before: &str) -> Result<String, String> {
    let text = read(&root().join(file))?;
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(before)?.split('"').next());
    found.map(str::to_owned).ok_or_else(|| format!("{file} says no version"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_manifests_say_one_version() {
        assert_eq!(super::the_one().unwrap().split('.').count(), 3);
    }

    #[test]
    fn a_manifest_without_a_version_is_told() {
        let told = super::of("rustfmt.toml", "version = \"").unwrap_err();
        assert_eq!(told, "rustfmt.toml says no version");
    }
}
