//! The client as a Go module: the zip of its sources, in the form that Go's own proxies have.

use std::path::PathBuf;

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

/// The path of the module, and its version as Go writes it.
pub fn module(place: &Place) -> Result<(String, String), String> {
    let text = read(&root().join("client/go/go.mod"))?;
    let path = text.lines().find_map(|line| line.strip_prefix("module "));
    let path = path.ok_or("client/go/go.mod names no module")?;
    Ok((path.to_owned(), format!("v{}", place.version)))
}

pub fn client(place: &Place, tools: &Tools) -> Result<(), String> {
    let (path, version) = module(place)?;
    let zip = place.dist.join(format!("mono-demo-client-go-{version}.zip"));
    let mut python = tools.command("python");
    python.args(["-I", "-c", ZIP]).arg(&zip).arg(committed());
    for (file, name) in sources()? {
        python.arg(file).arg(format!("{path}@{version}/{name}"));
    }
    python.said().map(drop)
}

/// Lays the zip where `GOPROXY=file://FOLDER` finds it.
pub fn proxy(place: &Place, folder: &std::path::Path) -> Result<(), String> {
    let (path, version) = module(place)?;
    let versions = folder.join(&path).join("@v");
    let zip = place.dist.join(format!("mono-demo-client-go-{version}.zip"));
    super::shell::put(&zip, &versions.join(format!("{version}.zip")))?;
    let time = "1980-01-01T00:00:00Z";
    let info = format!("{{\"Version\": \"{version}\", \"Time\": \"{time}\"}}");
    write(&versions.join(format!("{version}.info")), &info)?;
    write(&versions.join("list"), &format!("{version}\n"))?;
    let text = read(&root().join("client/go/go.mod"))?;
    write(&versions.join(format!("{version}.mod")), &text)
}

/// All but tests, which read files of the repository; and the licence, which must be in a module.
fn sources() -> Result<Vec<(PathBuf, String)>, String> {
    let top = root().join("client/go");
    let mut found = vec![(root().join("LICENSE"), "LICENSE".to_owned())];
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for file in super::files_in(&folder)? {
            if !file_name(&file)?.ends_with("_test.go") {
                let inside = file.strip_prefix(&top).unwrap_or(&file).display().to_string();
                found.push((file, inside));
            }
        }
        let entries = folder.read_dir().map_err(|e| format!("read {}: {e}", folder.display()))?;
        folders
            .extend(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|it| it.is_dir()));
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}
