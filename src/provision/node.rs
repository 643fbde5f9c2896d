//! The client in Node: its packages are installed once, at the versions that its lock file pins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;
use super::prepared::{Sources, find, locate, prepare};
use super::settings::{Progress, Settings};
use super::step::{last_lines, run, run_step};

/// As the client's package.json asks for.
const OLDEST: u32 = 18;
const HINT: &str = "install Node 18 or newer, with npm, and have it on PATH \
                    (`apt-get install nodejs npm`, `brew install node`)";

const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// npm gives up by itself when the network does not answer; this is for one that does not.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The client, and the Node that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeClient {
    /// The interpreter.
    pub node: PathBuf,
    /// Its version, `20.20.2`.
    pub version: String,
    /// The client's folder, with its packages.
    pub folder: PathBuf,
}

impl NodeClient {
    /// The program that speaks the driver protocol.
    #[must_use]
    pub fn driver(&self) -> PathBuf {
        self.folder.join("driver.mjs")
    }
}

/// Finds the client, and prepares it if it is not there.
///
/// # Errors
/// If there is no Node that will do, or if preparing fails or is forbidden.
pub async fn node_client(
    settings: &Settings,
    sources: &Sources,
    progress: &Progress<'_>,
) -> Result<NodeClient, ProvisionError> {
    let (node, version) = probe(settings).await?;
    if let Some((folder, _)) = find(settings, sources).await? {
        return Ok(NodeClient { node, version, folder });
    }
    let folder = prepare(settings, sources, &version, progress, async |folder| {
        let npm = locate(settings, "npm", HINT)?;
        install(&npm, sources, folder).await
    })
    .await?;
    Ok(NodeClient { node, version, folder })
}

/// Looks for the client and prepares nothing; `None` in place of a client that is not prepared yet.
///
/// # Errors
/// If there is no Node that will do.
pub async fn find_node_client(
    settings: &Settings,
    sources: &Sources,
) -> Result<Option<NodeClient>, ProvisionError> {
    let (node, version) = probe(settings).await?;
    let found = find(settings, sources).await?;
    if found.is_none() {
        locate(settings, "npm", HINT)?;
    }
    Ok(found.map(|(folder, _)| NodeClient { node, version, folder }))
}

async fn probe(settings: &Settings) -> Result<(PathBuf, String), ProvisionError> {
    let node = locate(settings, "node", HINT)?;
    let no_node = |problem: String| ProvisionError::NoTool {
        tool: "node",
        problem: format!("{} {problem}", node.display()),
        hint: HINT,
    };
    let mut command = Command::new(&node);
    command.arg("--version").current_dir("/");
    let output = run(&mut command, QUESTION_TIMEOUT).await.map_err(no_node)?;
    let said = last_lines(&output, 1);
    let version = said.strip_prefix('v').unwrap_or(&said).to_owned();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST => Ok((node, version)),
        Some(_) => Err(no_node(format!("is Node {version}; {OLDEST} or newer is needed"))),
        None => Err(no_node(format!("answered `{said}` when asked for its version"))),
    }
}

/// The user's own npm configuration applies; no script of a package is run.
async fn install(npm: &Path, sources: &Sources, folder: &Path) -> Result<(), ProvisionError> {
    let mut command = Command::new(npm);
    command
        .args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--no-update-notifier", "--loglevel=error"])
        .current_dir(folder)
        .env_remove("NODE_OPTIONS")
        .env_remove("NODE_ENV");
    run_step(&sources.what(), &mut command, INSTALL_TIMEOUT, || {
        "see what npm says above; it uses your own npm configuration (`npm config ls`)".to_owned()
    })
    .await?;
    Ok(())
}
