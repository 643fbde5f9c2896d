//! What there is in a store folder of a cluster's names, and of its nodes; reads only.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::said::{ClusterNames, Own, ids_in};
use crate::broker::error::StartError;
use crate::given::{read_file, read_private};
use crate::private;

/// In the store folder: the cluster's name and those of its nodes, a line each.
pub(super) const NAMES: &str = "cluster.names";
/// In the folder of each node: the same, and which is its own.
pub(super) const OWN: &str = "node.names";

/// What a file says.
#[derive(Debug)]
pub(super) enum Said<T> {
    /// There is none.
    Nothing,
    /// It says nothing that can be used.
    Garbled(String),
    /// What is there cannot be read, nor replaced.
    Unreadable(String),
    Is(T),
}

/// What there is in a store folder.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) store: PathBuf,
    pub(super) list: Said<ClusterNames>,
    /// The folders that are there, in their order.
    pub(super) nodes: Vec<Node>,
    /// There are streams of a server that is alone.
    pub(super) alone: bool,
}

/// The folder of a node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) index: usize,
    pub(super) folder: PathBuf,
    pub(super) has_streams: bool,
    pub(super) own: Said<Own>,
    /// The ids of those that its streams were made with; none where that is not known.
    pub(super) peers: BTreeSet<String>,
}

impl Found {
    /// Looks at a store folder, which may be missing.
    ///
    /// # Errors
    /// A folder cannot be read, and what cannot be seen is not new; or others may write a file.
    pub(super) fn look(store: &Path) -> Result<Found, StartError> {
        let list = read(&store.join(NAMES), "the file of the cluster's names", |text| {
            ClusterNames::parse(&text)
        })?;
        let alone = has_streams(store)?;
        let failed = |source| unseen(store, source);
        let mut nodes = Vec::new();
        match store.read_dir() {
            // A server that is alone may have folders of any name.
            _ if alone && matches!(list, Said::Nothing) => {}
            Err(e) if is_absent(&e) => {}
            entries => {
                for entry in entries.map_err(failed)? {
                    nodes.extend(Node::look(entry.map_err(failed)?.path())?);
                }
            }
        }
        nodes.sort_by_key(|node| node.index);
        Ok(Found { store: store.to_owned(), list, nodes, alone })
    }

    /// Whether it is that of a cluster, and not of a server that is alone.
    pub(super) fn is_of_cluster(&self) -> bool {
        let is_named = !matches!(self.list, Said::Nothing);
        let has_nodes = self.with_streams().next().is_some();
        if self.alone { is_named && has_nodes } else { is_named || has_nodes }
    }

    /// The nodes that have something to lose.
    pub(super) fn with_streams(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.has_streams)
    }
}

impl Node {
    /// Nothing where it is not the folder of a node.
    fn look(folder: PathBuf) -> Result<Option<Node>, StartError> {
        let Some(index) = index_of(&folder) else { return Ok(None) };
        if folder.metadata().is_ok_and(|found| !found.is_dir()) {
            let source = ErrorKind::NotADirectory.into();
            return Err(StartError::Prepare { what: "the folder of a node", path: folder, source });
        }
        let has_streams = has_streams_of_a_node(&folder)?;
        let own = read(&folder.join(OWN), "the file of a node's names", |text| {
            Own::parse(&text).ok_or_else(|| "it is not whole".to_owned())
        })?;
        let peers = peers(&folder);
        Ok(Some(Node { index, folder, has_streams, own, peers }))
    }

    pub(super) fn names(&self) -> PathBuf {
        self.folder.join(OWN)
    }

    /// What it says of itself.
    pub(super) fn told(&self) -> Option<&Own> {
        match &self.own {
            Said::Is(own) => Some(own),
            _ => None,
        }
    }
}

fn read<T>(
    path: &Path,
    what: &'static str,
    parse: impl Fn(Vec<u8>) -> Result<T, String>,
) -> Result<Said<T>, StartError> {
    match read_private(path) {
        Ok(text) => Ok(parse(text).map_or_else(Said::Garbled, Said::Is)),
        Err(e) if is_absent(&e) => Ok(Said::Nothing),
        Err(source) if private::is_refusal(&source) => {
            Err(StartError::Prepare { what, path: path.to_owned(), source })
        }
        Err(e) => Ok(Said::Unreadable(e.to_string())),
    }
}

/// Where the servers of a cluster keep what they agree on, below the folder of an account: that of the system.
const AGREED: &str = "_js_";

/// The ids in the file in which the node keeps those whom it agrees with on what streams there are.
fn peers(folder: &Path) -> BTreeSet<String> {
    let Ok(accounts) = folder.join("jetstream").read_dir() else { return BTreeSet::new() };
    let files = accounts.filter_map(|account| {
        read_file(&account.ok()?.path().join(AGREED).join("_meta_/peers.idx")).ok()
    });
    files.flat_map(|file| ids_in(&file)).collect()
}

/// Whether a server has made streams in its folder.
fn has_streams(folder: &Path) -> Result<bool, StartError> {
    is_there(&folder.join("jetstream"))
}

fn is_there(path: &Path) -> Result<bool, StartError> {
    match path.try_exists() {
        Err(e) if is_absent(&e) => Ok(false),
        found => found.map_err(|source| unseen(path, source)),
    }
}

/// There is nothing; any other error hides what there is.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unseen(path: &Path, source: std::io::Error) -> StartError {
    StartError::Prepare { what: "sure which streams are in", path: path.to_owned(), source }
}

/// Whether a server of a cluster kept streams there. One that is alone keeps streams too, in a folder of
/// any name; what it has not is a place for what the servers of a cluster agree on.
fn has_streams_of_a_node(folder: &Path) -> Result<bool, StartError> {
    let jetstream = folder.join("jetstream");
    let failed = |source| unseen(&jetstream, source);
    let accounts = match jetstream.read_dir() {
        Err(e) if is_absent(&e) => return Ok(false),
        accounts => accounts.map_err(failed)?,
    };
    for account in accounts {
        if is_there(&account.map_err(failed)?.path().join(AGREED))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of a node, by the name that a cluster gives its folder.
pub(super) fn index_of(folder: &Path) -> Option<usize> {
    let name = folder.file_name()?.to_str()?;
    Some(name.strip_prefix("node-")?.parse::<u16>().ok()?.into())
}
