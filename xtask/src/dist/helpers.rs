//! The helpers of tests, each from its package alone: the test of the page runs, and the example.

use std::path::Path;

use super::empty::{Empty, expect, go_in, npm_install, snippet};
use super::go;
use super::shell::{Run as _, put, write};
use crate::root;

const PAGE: &str = "docs/testing.md";

pub(super) fn all(empty: &Empty) -> Result<(), String> {
    let bin = empty.venv(&["mono-demo", "pytest", "pytest-asyncio"])?;
    let work = empty.folder.join("work");
    write(&work.join("test_page.py"), &snippet(PAGE, "python")?)?;
    for file in ["orders.py", "test_orders.py"] {
        put(&root().join("examples/pytest-orders").join(file), &work.join(file))?;
    }
    // Or that of this repository would be found, above it.
    write(&work.join("pytest.ini"), "[pytest]\nasyncio_mode = auto\n")?;
    let mut pytest = empty.command(&bin, "python")?;
    pytest.args(["-m", "pytest", "-q"]);
    expect(&pytest.said()?, "3 passed")?;
    node(empty, &work)?;
    module(empty, &bin, &work)
}

fn node(empty: &Empty, work: &Path) -> Result<(), String> {
    write(&work.join("package.json"), "{\"private\": true}\n")?;
    let packages = [empty.dist("mono-demo-0", ".tgz")?, empty.dist("mono-demo-linux", ".tgz")?];
    npm_install(empty, &packages)?;
    let text = snippet(PAGE, "js")?;
    write(&work.join("page.test.mjs"), &text)?;
    write(&work.join("page.mts"), &text)?;
    let node = || empty.command(Path::new("/usr/bin"), "node");
    expect(&node()?.args(["--test", "page.test.mjs"]).said()?, "pass 1")?;
    let modules = root().join("client/node/node_modules");
    let mut strict = node()?;
    strict.arg(modules.join("typescript/bin/tsc"));
    strict.args(["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022"]);
    strict.args(["--types", "node", "--typeRoots"]).arg(modules.join("@types"));
    strict.arg("page.mts").said().map(drop)
}

/// Beside the program that pip installed: a module brings none.
fn module(empty: &Empty, bin: &Path, work: &Path) -> Result<(), String> {
    let (path, version) = go::HELPER.path_and_version(empty.place)?;
    let test = format!(
        "package page\n\nimport (\n\t\"testing\"\n\n\t\"{path}\"\n)\n\n\
         func TestIt(t *testing.T) {{\n\tbroker := monodemo.Broker(t)\n\
         \tif err := broker.Kill(); err != nil {{\n\t\tt.Fatal(err)\n\t}}\n}}\n"
    );
    let folder = work.join("module");
    write(&folder.join("page_test.go"), &test)?;
    let go = go_in(empty, &folder)?;
    go(&["mod", "init", "example.com/page"])?.said()?;
    go(&["get", &format!("{path}@{version}")])?.said()?;
    let mut test = go(&["test", "."])?;
    expect(&test.env("MONO_DEMO_BIN", bin.join("mono-demo")).said()?, "ok")
}
