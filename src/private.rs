//! Checks owners and permissions, so that only files and folders that no other user could have
//! prepared are used.

use std::ffi::OsStr;
use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// How many symbolic links are followed in one path: the limit of Linux (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Makes a folder, and the missing folders above it, for this user only (0700, whatever the umask),
/// and checks it as [`check`] does.
///
/// # Errors
/// Those of the file system, or that somebody else could write there.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    check(path)
}

/// Makes sure that only this user, or the system, could have written what is at this path: a folder,
/// a file, or a symbolic link.
///
/// It must belong to this user or to root, and neither group nor others may write it. The same
/// holds for every folder and link in the path, and in the targets of links. A folder that others
/// may write is accepted if it is sticky, such as `/tmp`, and one that the group may write if the
/// group is the private group of this user.
///
/// # Errors
/// `PermissionDenied`, which names what others could write, and what to do.
pub fn check(path: &Path) -> io::Result<()> {
    let real = follow(&std::path::absolute(path)?)?;
    let found = real.metadata()?;
    owned(&real, &found)?;
    if found.mode() & GROUP_OR_OTHERS_WRITE != 0 {
        return Err(refused(&real, "its group or others may write it", "chmod go-w"));
    }
    Ok(())
}

/// The same for a file of a repository, which the private group of this user may write as well: so it is
/// where a umask of 002 is usual.
///
/// # Errors
/// As [`check`].
pub fn check_shared(path: &Path) -> io::Result<()> {
    let real = follow(&std::path::absolute(path)?)?;
    let found = real.metadata()?;
    owned(&real, &found)?;
    refuse_writers(&real, &found)
}

/// Resolves a path as the system does, one component after the other. Whoever may change a folder
/// or a link in the path decides where it leads, so each is checked before it is followed.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let parts = |path: &Path| path.iter().rev().map(OsStr::to_owned).collect::<Vec<_>>();
    let (mut left, mut real, mut links) = (parts(path), PathBuf::from("/"), 0);
    while let Some(part) = left.pop() {
        passable(&real)?;
        if part == ".." {
            real.pop();
            continue;
        }
        // The root, which a path or a link begins with, takes the place of all before it.
        let next = real.join(part);
        let found = next.symlink_metadata()?;
        if !found.is_symlink() {
            real = next;
            continue;
        }
        owned(&next, &found)?;
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        left.append(&mut parts(&next.read_link()?));
    }
    Ok(real)
}

/// Makes sure that only this user could have put a file into this folder.
fn passable(folder: &Path) -> io::Result<()> {
    let found = folder.symlink_metadata()?;
    owned(folder, &found)?;
    if !found.is_dir() || found.mode() & STICKY != 0 {
        return Ok(());
    }
    refuse_writers(folder, &found)
}

/// Makes sure that nobody but this user, and the user's private group, may write it.
fn refuse_writers(path: &Path, found: &Metadata) -> io::Result<()> {
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(refused(path, "others may write it", "chmod o-w"));
    }
    if found.mode() & GROUP_WRITES != 0 && !is_our_own_group(found.gid()) {
        return Err(refused(path, "its group may write it", "chmod g-w"));
    }
    Ok(())
}

/// Does [`check`] for a folder and for everything in it. The target of a link in it is not checked:
/// whoever made the link chose it. Files that are removed meanwhile are ignored.
///
/// # Errors
/// As [`check`].
pub fn check_all(folder: &Path) -> io::Result<()> {
    check(folder)?;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Some(entries) = if_there(folder.read_dir())? else { continue };
        for entry in entries {
            let path = entry?.path();
            let Some(found) = if_there(path.symlink_metadata())? else { continue };
            owned(&path, &found)?;
            if found.is_symlink() {
                continue;
            }
            if found.mode() & GROUP_OR_OTHERS_WRITE != 0 {
                return Err(refused(&path, "its group or others may write it", "chmod go-w"));
            }
            if found.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Whether the group is the user's private group: systems that make one give it the user's number.
fn is_our_own_group(gid: u32) -> bool {
    let (us, ours) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    gid == ours && ours == us
}

fn owned(path: &Path, found: &Metadata) -> io::Result<()> {
    let us = rustix::process::geteuid().as_raw();
    match found.uid() {
        0 => Ok(()),
        uid if uid == us => Ok(()),
        uid => {
            let why = format!("it belongs to another user ({uid})");
            Err(refused(path, &why, &format!("chown {us}")))
        }
    }
}

fn refused(path: &Path, why: &str, remedy: &str) -> io::Error {
    let path = path.display();
    let text = format!("{path} is not used: {why} (`{remedy} {path}`, or choose another folder)");
    io::Error::new(io::ErrorKind::PermissionDenied, Refused(text))
}

/// What others could have written, with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

/// Whether an error is a refusal of [`check`], and no failure of the file system.
pub fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Refused>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_of_ours_is_made_private_and_what_others_may_write_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let above = root.path().join("above");
        let ours = above.join("ours");
        folder(&ours).unwrap();
        for made in [&above, &ours] {
            assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o700);
        }
        for writable in [0o770, 0o707, 0o777] {
            mode(&ours, writable);
            assert!(check(&ours).unwrap_err().to_string().contains("chmod go-w"));
        }
        mode(&ours, 0o755);
        check(&ours).unwrap();
        // Above it: others could put another folder in its place, unless it is sticky.
        mode(&above, 0o777);
        assert!(folder(&ours).unwrap_err().to_string().contains("others may write it"));
        for sticky in [0o1777, 0o1770] {
            mode(&above, sticky);
            folder(&ours).unwrap();
        }
        mode(&above, 0o770);
        assert_eq!(check(&ours).is_ok(), is_our_own_group(above.metadata().unwrap().gid()));
        mode(&above, 0o700);
        let link = root.path().join("link");
        symlink(&ours, &link).unwrap();
        check(&link).unwrap();
    }

    #[test]
    fn every_link_on_the_way_is_followed_and_checked() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        folder(&at("ours")).unwrap();
        folder(&at("open")).unwrap();
        // By a link of ours to one that lies where others may write.
        symlink(at("ours"), at("open/second")).unwrap();
        symlink("open/second", at("first")).unwrap();
        check(&at("first")).unwrap();
        check(&at("open/../first/.")).unwrap();
        mode(&at("open"), 0o777);
        let refused = check(&at("first")).unwrap_err().to_string();
        assert!(refused.contains("open is not used: others may write it"), "{refused}");
        mode(&at("open"), 0o700);
        symlink("loop", at("loop")).unwrap();
        assert_eq!(
            check(&at("loop")).unwrap_err().raw_os_error(),
            Some(Errno::LOOP.raw_os_error())
        );
        let mut last = at("ours");
        for n in 0..MOST_LINKS {
            symlink(&last, at(&format!("link-{n}"))).unwrap();
            last = at(&format!("link-{n}"));
        }
        check(&last).unwrap();
        symlink(&last, at("one-more")).unwrap();
        check(&at("one-more")).unwrap_err();
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return; // nobody else can give a file away
        }
        let root = tempfile::tempdir().unwrap();
        let (theirs, link) = (root.path().join("theirs"), root.path().join("link"));
        std::fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(12345), None).unwrap();
        for path in [theirs.clone(), theirs.join("ours")] {
            let refused = folder(&path).unwrap_err();
            let remedy = format!("another user (12345) (`chown 0 {}`", theirs.display());
            assert!(refused.to_string().contains(&remedy) && is_refusal(&refused), "{refused}");
        }
        let file = root.path().join("file");
        std::fs::write(&file, "planted").unwrap();
        check_all(file.parent().unwrap()).unwrap_err();
        std::fs::remove_dir_all(&theirs).unwrap();
        check_all(file.parent().unwrap()).unwrap();
        mode(&file, 0o620);
        assert!(check_all(root.path()).unwrap_err().to_string().contains("file is not used"));
        let group = root.path().join("group");
        std::fs::create_dir_all(group.join("ours")).unwrap();
        std::os::unix::fs::chown(&group, None, Some(12345)).unwrap();
        mode(&group, 0o770);
        assert!(check(&group.join("ours")).unwrap_err().to_string().contains("its group may"));
        // A link that somebody planted, to a folder that is ours.
        symlink(root.path(), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
        assert!(check(&link).unwrap_err().to_string().contains("link is not used"));
    }
}
