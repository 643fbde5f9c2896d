//! What npm installs: the program, its package for this platform, and the client with its types.

use super::Place;
use super::payload::Payload;
use super::shell::{Run as _, command, put, write};
use crate::root;

/// What npm calls the platform that the program was built for.
const PLATFORM: &str = "linux-x64";

/// The program's package runs nothing when it is installed: npm takes the platform's package by `os`,
/// `cpu` and `libc`, and that has the program.
pub fn program(place: &Place, payload: &Payload) -> Result<(), String> {
    let folder = place.staging("npm-platform")?;
    put(&payload.program, &folder.join("bin/mono-demo"))?;
    payload.put_lib(&folder.join("lib/mono-demo"))?;
    put(&root().join("LICENSE"), &folder.join("LICENSE"))?;
    let manifest = serde_json::json!({
        "name": format!("@mono-demo/{PLATFORM}"),
        "version": place.version,
        "description": "The program of mono-demo for Linux on x86-64, with its nats-server",
        "license": "Apache-2.0",
        "os": ["linux"],
        "cpu": ["x64"],
        "libc": ["glibc"],
        "files": ["bin", "lib"],
        "preferUnplugged": true,
    });
    write(&folder.join("package.json"), &format!("{manifest:#}\n"))?;
    pack(place, &folder)?;

    let folder = place.staging("npm")?;
    put(&root().join("packaging/npm"), &folder)?;
    put(&root().join("LICENSE"), &folder.join("LICENSE"))?;
    pack(place, &folder)
}

/// The client without its driver and tests, and with `.d.mts` files made from its JSDoc.
pub fn client(place: &Place) -> Result<(), String> {
    let source = root().join("client/node");
    if !source.join("node_modules/typescript").is_dir() {
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        command("npm").args(install).current_dir(&source).said()?;
    }
    let folder = place.staging("client-node")?;
    for file in super::files_in(&source)? {
        put(&file, &folder.join(super::file_name(&file)?))?;
    }
    put(&root().join("LICENSE"), &folder.join("LICENSE"))?;
    let mut types = command("node");
    types.args(["node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json", "--outDir"]);
    types.arg(&folder).current_dir(&source).said()?;
    pack(place, &folder)
}

fn pack(place: &Place, folder: &std::path::Path) -> Result<(), String> {
    let mut npm = command("npm");
    npm.args(["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination"]);
    npm.arg(&place.dist).current_dir(folder).said().map(drop)
}
