//! What is unpacked by hand, and what apt and dpkg install.

use super::Place;
use super::payload::Payload;
use super::shell::{Run as _, command, committed, make_folder, put, write};
use crate::root;

/// Rust's name of the platform, as `cargo binstall` asks for it.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Debian's.
const ARCHITECTURE: &str = "amd64";

pub fn tarball(place: &Place, payload: &Payload) -> Result<(), String> {
    let staging = place.staging("tarball")?;
    let name = format!("mono-demo-{}-{TARGET}", place.version);
    let folder = staging.join(&name);
    payload.put_tree(&folder)?;
    for file in ["LICENSE", "README.md", "CHANGELOG.md"] {
        put(&root().join(file), &folder.join(file))?;
    }
    let mut tar = command("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--use-compress-program=gzip -9n",
    ]);
    tar.arg(format!("--mtime=@{}", committed())).arg("-C").arg(&staging);
    tar.arg("-cf").arg(place.dist.join(format!("{name}.tar.gz"))).arg(&name).said().map(drop)
}

pub fn deb(place: &Place, payload: &Payload) -> Result<(), String> {
    let staging = place.staging("deb")?;
    payload.put_tree(&staging.join("usr"))?;
    let docs = staging.join("usr/share/doc/mono-demo");
    make_folder(&docs)?;
    put(&root().join("LICENSE"), &docs.join("copyright"))?;
    // In KiB, as the policy wants it.
    let size = command("du").args(["-sk", "--apparent-size"]).arg(staging.join("usr")).said()?;
    let size = size.split_whitespace().next().unwrap_or_default();
    let control = format!(
        "Package: mono-demo\n\
         Version: {}\n\
         Architecture: {ARCHITECTURE}\n\
         Maintainer: mono-demo <mono-demo@localhost>\n\
         Installed-Size: {size}\n\
         Depends: libc6 (>= 2.28)\n\
         Recommends: python3 (>= 3.10), python3-venv\n\
         Section: devel\n\
         Priority: optional\n\
         Description: run, call, break and prove services over NATS\n \
         Starts a real nats-server, which it brings, and services on it; drives scenarios\n \
         through clients in several languages, breaks broker, network and services meanwhile,\n \
         and compares what happened with what was promised.\n",
        place.version
    );
    write(&staging.join("DEBIAN/control"), &control)?;
    let file = place.dist.join(format!("mono-demo_{}_{ARCHITECTURE}.deb", place.version));
    let mut dpkg = command("dpkg-deb");
    // xz is what every dpkg reads.
    dpkg.args(["--build", "--root-owner-group", "-Zxz"]).arg(&staging).arg(file).said().map(drop)
}
