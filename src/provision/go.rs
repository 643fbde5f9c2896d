//! The client in Go: built once, and from then on a program that needs no Go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;
use super::prepared::{Sources, find, locate, prepare};
use super::settings::{Progress, Settings};
use super::step::{last_lines, run, run_step};

const HINT: &str = "install Go 1.26 or newer and have it on PATH \
                    (`brew install go`; what `apt-get install golang` brings may be older)";
const PROGRAM: &str = "driver";
/// The second number of Go's version that the client's go.mod asks for.
const OLDEST: u32 = 26;

const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// A first build compiles Go's own library too.
const BUILD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The client, built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoClient {
    /// The program that speaks the driver protocol.
    pub driver: PathBuf,
    /// The Go that built it, `go1.26.8`.
    pub built_with: String,
}

/// Finds the client, and builds it if it is not there.
///
/// # Errors
/// If there is no Go to build it with, or if building fails or is forbidden.
pub async fn go_client(
    settings: &Settings,
    sources: &Sources,
    progress: &Progress<'_>,
) -> Result<GoClient, ProvisionError> {
    if let Some(client) = built(settings, sources).await? {
        return Ok(client);
    }
    let go = locate(settings, "go", HINT)?;
    let version = version(&go).await?;
    let folder = prepare(settings, sources, &version, progress, async |folder| {
        build(&go, sources, folder).await
    })
    .await?;
    Ok(GoClient { driver: folder.join(PROGRAM), built_with: version })
}

/// Looks for the client and builds nothing; `None` where it is not built yet.
///
/// # Errors
/// If it is not built, and there is no Go to build it with.
pub async fn find_go_client(
    settings: &Settings,
    sources: &Sources,
) -> Result<Option<GoClient>, ProvisionError> {
    let client = built(settings, sources).await?;
    if client.is_none() {
        version(&locate(settings, "go", HINT)?).await?;
    }
    Ok(client)
}

async fn built(settings: &Settings, sources: &Sources) -> Result<Option<GoClient>, ProvisionError> {
    let found = find(settings, sources).await?;
    Ok(found.map(|(folder, marker)| GoClient {
        driver: folder.join(PROGRAM),
        built_with: marker.made_with,
    }))
}

/// Its version, if that will do.
async fn version(go: &Path) -> Result<String, ProvisionError> {
    let no_go = |problem: String| ProvisionError::NoTool {
        tool: "go",
        problem: format!("{} {problem}", go.display()),
        hint: HINT,
    };
    let mut command = self::command(go, Path::new("/"));
    command.args(["env", "GOVERSION"]);
    // Go counts its own use in the user's configuration, which a question is no reason to make.
    command.env("XDG_CONFIG_HOME", "/dev/null").env("GOENV", "off");
    let output = run(&mut command, QUESTION_TIMEOUT).await.map_err(no_go)?;
    let version = last_lines(&output, 1);
    match minor(&version) {
        Some(minor) if minor >= OLDEST => Ok(version),
        // No newer one is fetched: GOTOOLCHAIN is `local`.
        Some(_) => Err(no_go(format!("is {version}; 1.{OLDEST} or newer is needed"))),
        None => Err(no_go(format!("answered `{version}` when asked for its version"))),
    }
}

/// The 26 of `go1.26.8` and `devel go1.26-5b1b2e1`.
fn minor(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("go1.")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The modules that go.sum pins, by the user's own Go configuration.
async fn build(go: &Path, sources: &Sources, folder: &Path) -> Result<(), ProvisionError> {
    let mut command = self::command(go, folder);
    command.args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-o", PROGRAM]);
    command.arg("./cmd/driver");
    run_step(&sources.what(), &mut command, BUILD_TIMEOUT, || {
        format!("see what go says above; it uses your own configuration (`go env`). {HINT}")
    })
    .await?;
    Ok(())
}

/// Without C, and with the Go that is here: a build must not fetch another one unasked.
fn command(go: &Path, cwd: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(cwd)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env_remove("GOFLAGS")
        .env_remove("GOOS")
        .env_remove("GOARCH");
    command
}
