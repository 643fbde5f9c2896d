//! The names of a cluster and its nodes, kept in its store folder. The nodes know each other by them: under
//! other names they would wait for ever for those that are gone.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::StartError;
use crate::given::read_private;
use crate::{private, whole};

/// In the store folder: the cluster's name and those of its nodes, a line each.
const NAMES: &str = "cluster.names";
/// In the folder of each node: the cluster's name and its own, a line each. By it the names of another cluster
/// are found out, and those that are lost written anew.
const OWN: &str = "node.names";

/// The names of a cluster and its nodes.
#[derive(Debug)]
pub(super) struct ClusterNames {
    pub(super) cluster: String,
    pub(super) nodes: Vec<String>,
}

impl ClusterNames {
    /// New ones: nonces.
    pub(super) fn new(nodes: usize) -> ClusterNames {
        let name = || nuid::next().to_string();
        ClusterNames { cluster: name(), nodes: (0..nodes).map(|_| name()).collect() }
    }

    /// Those that a store folder was made with; new ones for a new folder.
    ///
    /// # Errors
    /// The folder is that of a single server or of a cluster of another size; its names are lost, torn
    /// or those of another cluster.
    pub(super) fn kept_in(folder: &Path, nodes: usize) -> Result<ClusterNames, StartError> {
        let path = folder.join(NAMES);
        let problem = |what| {
            let path = path.clone();
            move |source| StartError::Prepare { what, path, source }
        };
        private::folder(folder).map_err(problem("the folder of the cluster's names"))?;
        if let Some(names) = Self::found_in(folder)? {
            if names.nodes.len() != nodes {
                return Err(Self::other_size(folder, names.nodes.len(), nodes));
            }
            names.note_in_nodes(folder)?;
            return Ok(names);
        }
        // Nobody would look for its streams in there.
        if has_streams(folder)? {
            return Err(StartError::StoreOfOne { store: folder.to_owned() });
        }
        let names = Self::new(nodes);
        let text = format!("{}\n{}\n", names.cluster, names.nodes.join("\n"));
        whole::write(&path, text).map_err(problem("the file of the cluster's names"))?;
        names.note_in_nodes(folder)?;
        Ok(names)
    }

    /// Those of a store folder; `None` where it is that of no cluster.
    fn found_in(folder: &Path) -> Result<Option<ClusterNames>, StartError> {
        let path = folder.join(NAMES);
        let nodes = nodes_with_streams(folder)?;
        let unusable = |why| unusable(folder, &nodes, why);
        let text = match read_private(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound && nodes.is_empty() => return Ok(None),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(unusable("it is missing, and the nodes have streams".to_owned()));
            }
            Err(source) if private::is_refusal(&source) => {
                let what = "the file of the cluster's names";
                return Err(StartError::Prepare { what, path, source });
            }
            Err(e) => return Err(unusable(e.to_string())),
        };
        let names = Self::parse(&text).map_err(unusable)?;
        if nodes.len() > names.nodes.len() {
            let why = format!(
                "it has the names of {}, and there are streams of {}",
                names.nodes.len(),
                nodes.len()
            );
            return Err(unusable(why));
        }
        Ok(Some(names))
    }

    fn parse(text: &[u8]) -> Result<ClusterNames, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not text in UTF-8".to_owned())?;
        let Some(text) = text.strip_suffix('\n') else {
            return Err("it is not whole: its last line has no end".to_owned());
        };
        let names: Vec<&str> = text.split('\n').collect();
        let is_name = |name: &&&str| name.chars().all(|c| c.is_ascii_graphic()) && !name.is_empty();
        let distinct: BTreeSet<&&str> = names.iter().filter(is_name).collect();
        match names[..] {
            [cluster, ref nodes @ ..] if distinct.len() == names.len() && !nodes.is_empty() => {
                let nodes = nodes.iter().map(|name| (*name).to_owned()).collect();
                Ok(ClusterNames { cluster: cluster.to_owned(), nodes })
            }
            _ => Err("it is no list of names, one of the cluster and one for each node".to_owned()),
        }
    }

    /// Has each node's folder say its names, and makes sure that it says no others.
    fn note_in_nodes(&self, store: &Path) -> Result<(), StartError> {
        for (index, name) in self.nodes.iter().enumerate() {
            let folder = store.join(format!("node-{index}"));
            let (path, text) = (folder.join(OWN), format!("{}\n{name}\n", self.cluster));
            let problem = |source| StartError::Prepare {
                what: "the file of a node's names",
                path: path.clone(),
                source,
            };
            match read_private(&path) {
                Ok(found) if found == text.as_bytes() => {}
                Ok(_) => {
                    let why = format!("{} has other names", path.display());
                    return Err(unusable(store, &nodes_with_streams(store)?, why));
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    private::folder(&folder).map_err(problem)?;
                    whole::write(&path, text).map_err(problem)?;
                }
                Err(source) => return Err(problem(source)),
            }
        }
        Ok(())
    }

    fn other_size(store: &Path, found: usize, asked: usize) -> StartError {
        StartError::OtherCluster { store: store.to_owned(), found, asked }
    }
}

/// The folders of nodes in a store folder that have streams, in order; none in that of a single server, which
/// has streams itself, and none in one that is not there yet.
///
/// # Errors
/// A folder cannot be read: what cannot be seen is not new.
fn nodes_with_streams(store: &Path) -> Result<Vec<PathBuf>, StartError> {
    if has_streams(store)? {
        return Ok(Vec::new());
    }
    let failed = |source| unseen(store, source);
    let entries = match store.read_dir() {
        Err(e) if is_absent(&e) => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut nodes = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if is_of_node(&path) && has_streams_of_a_node(&path)? {
            nodes.push(path);
        }
    }
    nodes.sort();
    Ok(nodes)
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
/// any name; what it has not is a place for what the servers of a cluster agree on (`jetstream/ACCOUNT/_js_`,
/// ACCOUNT that of the system).
fn has_streams_of_a_node(folder: &Path) -> Result<bool, StartError> {
    let jetstream = folder.join("jetstream");
    let failed = |source| unseen(&jetstream, source);
    let accounts = match jetstream.read_dir() {
        Err(e) if is_absent(&e) => return Ok(false),
        accounts => accounts.map_err(failed)?,
    };
    for account in accounts {
        if is_there(&account.map_err(failed)?.path().join("_js_"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names in a store folder cannot be used; its nodes may say theirs.
fn unusable(store: &Path, nodes: &[PathBuf], why: String) -> StartError {
    let path = store.join(NAMES);
    let remedy = remedy(&path, nodes);
    StartError::ClusterNames { path, why, remedy }
}

fn remedy(names: &Path, nodes: &[PathBuf]) -> String {
    let (names, other) = (names.display(), "choose another folder for --store-dir");
    let own: Vec<PathBuf> = nodes.iter().map(|node| node.join(OWN)).collect();
    match own.first() {
        Some(first) if own.iter().all(|path| path.is_file()) => format!(
            "write {names} anew: the cluster's name, which is the first line of {}, then the second line of \
             it and of that file of each other node, in their order; or {other}",
            first.display()
        ),
        _ => format!("put {names} back from a copy of the store, or {other}"),
    }
}

/// Whether a store folder is that of a cluster, whose streams are in folders of its nodes.
///
/// # Errors
/// It cannot be read.
pub fn is_of_cluster(folder: &Path) -> Result<bool, StartError> {
    Ok(is_there(&folder.join(NAMES))? || !nodes_with_streams(folder)?.is_empty())
}

/// Refuses the store folder of a cluster to a single server, which would begin beside its streams.
pub(super) fn refuse_cluster(folder: &Path) -> Result<(), StartError> {
    // A node's own folder has the names beside it.
    let above = folder.parent().filter(|_| is_of_node(folder)).map(Path::to_owned);
    for folder in [Some(folder.to_owned()), above].into_iter().flatten() {
        if let Some(found) = ClusterNames::found_in(&folder)? {
            return Err(ClusterNames::other_size(&folder, found.nodes.len(), 1));
        }
    }
    Ok(())
}

/// As a cluster names the folders of its nodes.
fn is_of_node(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("node-").is_some_and(|number| number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "cluster\none\ntwo\nthree\n";

    fn kept(folder: &Path, nodes: usize) -> Result<ClusterNames, String> {
        ClusterNames::kept_in(folder, nodes).map_err(|error| {
            let hint = error.hint().unwrap_or_default();
            format!("{error}; hint: {hint}")
        })
    }

    fn streams_of_a_node(folder: &Path) {
        std::fs::create_dir_all(folder.join("jetstream/$SYS/_js_")).unwrap();
    }

    /// A store folder whose nodes have streams.
    fn store(nodes: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for node in 0..nodes {
            streams_of_a_node(&folder.path().join(format!("node-{node}")));
        }
        folder
    }

    #[test]
    fn names_that_cannot_be_those_of_the_nodes_are_refused_by_name() {
        for (text, why) in [
            ("", "its last line has no end"),
            ("cluster\none\ntwo\nthr", "its last line has no end"),
            ("cluster\none\ntwo", "its last line has no end"),
            ("cluster\n", "no list of names"),
            ("\n\n\n\n", "no list of names"),
            ("cluster\none\n\nthree\n", "no list of names"),
            ("cluster\none\ntwo\ntwo\n", "no list of names"),
            ("cluster\none\ntwo\nthr\0\0\n", "no list of names"),
            ("cluster\none\ntwo\n", "it has the names of 2, and there are streams of 3"),
            ("cluster\none\ntwo\nthree\nfour\nfive\n", "a cluster of 5 nodes, not of 3"),
        ] {
            let folder = store(3);
            std::fs::write(folder.path().join(NAMES), text).unwrap();
            let error = kept(folder.path(), 3).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        let folder = store(3);
        std::fs::write(folder.path().join(NAMES), b"cluster\none\ntwo\nth\xff\n").unwrap();
        assert!(kept(folder.path(), 3).unwrap_err().contains("it is not text in UTF-8"));
        std::fs::remove_file(folder.path().join(NAMES)).unwrap();
        std::fs::create_dir(folder.path().join(NAMES)).unwrap();
        assert!(kept(folder.path(), 3).unwrap_err().contains("it is not a file"));
    }

    #[test]
    fn names_that_are_missing_are_refused_with_where_the_nodes_say_them() {
        let folder = store(3);
        let error = kept(folder.path(), 3).unwrap_err();
        assert!(error.contains("cluster.names cannot be used: it is missing, and"), "{error}");
        assert!(error.contains("back from a copy of the store"), "nobody says them: {error}");
        std::fs::write(folder.path().join(NAMES), WHOLE).unwrap();
        kept(folder.path(), 3).unwrap();
        std::fs::remove_file(folder.path().join(NAMES)).unwrap();
        let error = kept(folder.path(), 3).unwrap_err();
        assert!(
            error.contains("the first line of ") && error.contains("node-0/node.names"),
            "{error}"
        );
        for node in [folder.path().to_owned(), folder.path().join("node-1")] {
            let alone = refuse_cluster(&node).unwrap_err().to_string();
            assert!(alone.contains("cluster.names cannot be used: it is missing"), "{alone}");
        }
        assert!(is_of_cluster(folder.path()).unwrap());
    }

    #[test]
    fn the_names_of_another_cluster_are_refused_and_a_lost_node_is_none() {
        let folder = store(3);
        std::fs::write(folder.path().join(NAMES), WHOLE).unwrap();
        kept(folder.path(), 3).unwrap();
        std::fs::remove_dir_all(folder.path().join("node-2")).unwrap();
        assert_eq!(kept(folder.path(), 3).unwrap().nodes, ["one", "two", "three"]);
        for other in ["other\none\ntwo\nthree\n", "cluster\none\nthree\ntwo\n"] {
            std::fs::write(folder.path().join(NAMES), other).unwrap();
            let error = kept(folder.path(), 3).unwrap_err();
            assert!(error.contains("/node.names has other names"), "{error}");
        }
    }

    #[test]
    fn a_cluster_inside_the_store_of_a_single_server_makes_it_no_cluster() {
        let folder = store(3);
        std::fs::create_dir(folder.path().join("jetstream")).unwrap();
        refuse_cluster(folder.path()).unwrap();
        assert!(!is_of_cluster(folder.path()).unwrap());
        assert!(kept(folder.path(), 3).unwrap_err().contains("is that of a single server"));
        // One in a folder of its own there is one.
        let inner = folder.path().join("inner");
        kept(&inner, 3).unwrap();
        streams_of_a_node(&inner.join("node-2"));
        assert!(refuse_cluster(&inner).is_err() && is_of_cluster(&inner).unwrap());
        kept(&inner, 3).unwrap();
    }

    #[test]
    fn a_single_server_may_keep_its_streams_in_a_folder_of_any_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["node-1", "node-2"] {
            let store = folder.path().join(name);
            std::fs::create_dir_all(store.join("jetstream/$G/streams/S")).unwrap();
            refuse_cluster(&store).unwrap();
        }
        refuse_cluster(folder.path()).unwrap();
        assert!(!is_of_cluster(folder.path()).unwrap());
        assert!(!is_of_cluster(&folder.path().join("node-1")).unwrap());
    }

    #[test]
    fn what_cannot_be_seen_is_not_new() {
        // A link in a circle hides what it leads to from everybody, also from root.
        let hidden = |at: PathBuf| std::os::unix::fs::symlink(&at, &at).unwrap();
        for at in ["jetstream", "node-1/jetstream", "node-1"] {
            let folder = tempfile::tempdir().unwrap();
            if at.contains('/') {
                std::fs::create_dir(folder.path().join("node-1")).unwrap();
            }
            hidden(folder.path().join(at));
            let error = kept(folder.path(), 3).unwrap_err();
            assert!(error.contains("streams") && error.contains(at), "{at}: {error}");
            assert!(!folder.path().join(NAMES).exists(), "{at}: names were written");
            let alone = refuse_cluster(folder.path()).unwrap_err().to_string();
            assert!(alone.contains(at), "{alone}");
            assert!(is_of_cluster(folder.path()).is_err(), "{at}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_of_cluster(file.path()).unwrap(), "a file has none");
        assert!(!is_of_cluster(&file.path().with_extension("missing")).unwrap());
    }

    #[test]
    fn a_folder_without_streams_of_nodes_is_new() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("node-0")).unwrap();
        let made = kept(folder.path(), 3).unwrap();
        assert_eq!(kept(folder.path(), 3).unwrap().nodes, made.nodes);
        refuse_cluster(&tempfile::tempdir().unwrap().path().join("node-0")).unwrap();
    }
}
