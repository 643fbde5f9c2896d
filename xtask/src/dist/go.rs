//! The client and the helper of tests as Go modules: zips of their sources, in the form that Go's own
//! proxies have.

use std::path::{Path, PathBuf};

use super::shell::{Run as _, committed, read, write};
use super::tools::Tools;
use super::{Place, file_name};
use crate::root;

/// Zips files in the order given; arguments: the zip, the seconds of its time, pairs of path and name.
const ZIP: &str = "
import sys, time, zipfile
made, seconds, *pairs = sys.argv[1:]
with zipfile.ZipFile(made, 'w', zipfile.ZIP_DEFLATED) as packed:
    for path, name in zip(pairs[::2], pairs[1::2]):
        entry = zipfile.ZipInfo(name, time.gmtime(int(seconds))[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        packed.writestr(entry, open(path, 'rb').read())
";

/// A module of Go.
pub struct Module {
    folder: &'static str,
    zip: &'static str,
}

/// The client of the services.
pub const CLIENT: Module = Module { folder: "client/go", zip: "mono-demo-client-go" };

/// Brokers in tests.
pub const HELPER: Module = Module { folder: "packaging/go", zip: "mono-demo-test-go" };

/// Zips both.
pub fn modules(place: &Place, tools: &Tools) -> Result<(), String> {
    [CLIENT, HELPER].iter().try_for_each(|module| module.pack(place, tools))
}

/// Lays the zips where `GOPROXY=file://FOLDER` finds them.
pub fn proxies(place: &Place, folder: &Path) -> Result<(), String> {
    [CLIENT, HELPER].iter().try_for_each(|module| module.lay_out(place, folder))
}

impl Module {
    /// The path of the module, and its version as Go writes it.
    pub fn path_and_version(&self, place: &Place) -> Result<(String, String), String> {
        let text = read(&root().join(self.folder).join("go.mod"))?;
        let path = text.lines().find_map(|line| line.strip_prefix("module "));
        let path = path.ok_or_else(|| format!("{}/go.mod names no module", self.folder))?;
        Ok((path.to_owned(), format!("v{}", place.version)))
    }

    fn packed(&self, place: &Place, version: &str) -> PathBuf {
        place.dist.join(format!("{}-{version}.zip", self.zip))
    }

    fn pack(&self, place: &Place, tools: &Tools) -> Result<(), String> {
        let (path, version) = self.path_and_version(place)?;
        let mut python = tools.command("python");
        python.args(["-I", "-c", ZIP]).arg(self.packed(place, &version)).arg(committed());
        for (file, name) in self.sources()? {
            python.arg(file).arg(format!("{path}@{version}/{name}"));
        }
        python.said().map(drop)
    }

    fn lay_out(&self, place: &Place, folder: &Path) -> Result<(), String> {
        let (path, version) = self.path_and_version(place)?;
        let versions = folder.join(&path).join("@v");
        let zip = versions.join(format!("{version}.zip"));
        super::shell::put(&self.packed(place, &version), &zip)?;
        let time = "1980-01-01T00:00:00Z";
        let info = format!("{{\"Version\": \"{version}\", \"Time\": \"{time}\"}}");
        write(&versions.join(format!("{version}.info")), &info)?;
        write(&versions.join("list"), &format!("{version}\n"))?;
        let text = read(&root().join(self.folder).join("go.mod"))?;
        write(&versions.join(format!("{version}.mod")), &text)
    }

    /// All but tests, which read files of the repository; and the licence, which must be in a module.
    fn sources(&self) -> Result<Vec<(PathBuf, String)>, String> {
        let top = root().join(self.folder);
        let mut found = vec![(root().join("LICENSE"), "LICENSE".to_owned())];
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            for file in super::files_in(&folder)? {
                if !file_name(&file)?.ends_with("_test.go") {
                    let inside = file.strip_prefix(&top).unwrap_or(&file).display().to_string();
                    found.push((file, inside));
                }
            }
            let entries =
                folder.read_dir().map_err(|e| format!("read {}: {e}", folder.display()))?;
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            folders.extend(paths.filter(|path| path.is_dir()));
        }
        found.sort_by(|a, b| a.1.cmp(&b.1));
        Ok(found)
    }
}
