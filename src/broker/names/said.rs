//! What the files of a cluster's names say, and what nats-server's own say of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The names of a cluster and its nodes, in the order in which the cluster was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct ClusterNames {
    pub(in crate::broker) cluster: String,
    pub(in crate::broker) nodes: Vec<String>,
}

impl ClusterNames {
    /// New ones: nonces.
    pub(in crate::broker) fn new(nodes: usize) -> ClusterNames {
        let name = || nuid::next().to_string();
        ClusterNames { cluster: name(), nodes: (0..nodes).map(|_| name()).collect() }
    }

    /// Reads the text of `cluster.names`: a name a line, the cluster's first.
    pub(super) fn parse(text: &[u8]) -> Result<ClusterNames, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not text in UTF-8".to_owned())?;
        let Some(text) = text.strip_suffix('\n') else {
            return Err("it is not whole: its last line has no end".to_owned());
        };
        let mut lines = text.split('\n').map(str::to_owned);
        let cluster = lines.next().unwrap_or_default();
        let names = ClusterNames { cluster, nodes: lines.collect() };
        match names.is_list() {
            true => Ok(names),
            false => {
                Err("it is no list of names, one of the cluster and one for each node".to_owned())
            }
        }
    }

    pub(super) fn text(&self) -> String {
        format!("{}\n{}\n", self.cluster, self.nodes.join("\n"))
    }

    /// Whether each is a name, and no two are the same.
    fn is_list(&self) -> bool {
        let is_name =
            |name: &&String| name.chars().all(|c| c.is_ascii_graphic()) && !name.is_empty();
        let all = || self.nodes.iter().chain([&self.cluster]);
        let distinct: BTreeSet<&String> = all().filter(is_name).collect();
        distinct.len() == all().count() && !self.nodes.is_empty()
    }

    /// The same names, in whichever order.
    pub(super) fn are(&self, other: &ClusterNames) -> bool {
        let nodes = |names: &ClusterNames| names.nodes.iter().cloned().collect::<BTreeSet<_>>();
        self.cluster == other.cluster && nodes(self) == nodes(other)
    }

    /// By which ids the nodes know each other.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        self.nodes.iter().map(|name| id(name)).collect()
    }
}

/// What `node.names` says: all names, and which is the node's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Own {
    pub(super) cluster: String,
    pub(super) node: String,
    /// Those of all nodes; none where an older version wrote the file.
    pub(super) nodes: Vec<String>,
}

impl Own {
    /// Nothing where the file is not whole.
    pub(super) fn parse(text: &[u8]) -> Option<Own> {
        let own: Own = serde_json::from_slice(text).ok().or_else(|| Self::of_two_lines(text))?;
        let is_own = own.nodes.is_empty() || own.nodes.contains(&own.node);
        let names = ClusterNames { cluster: own.cluster.clone(), nodes: vec![own.node.clone()] };
        let all = own.all().is_none_or(|all| all.is_list());
        (is_own && all && names.is_list()).then_some(own)
    }

    /// As older versions wrote it: the cluster's name and the node's own.
    fn of_two_lines(text: &[u8]) -> Option<Own> {
        let names = ClusterNames::parse(text).ok()?;
        let [node] = names.nodes.try_into().ok()?;
        Some(Own { cluster: names.cluster, node, nodes: Vec::new() })
    }

    pub(super) fn text(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }

    /// The names of the whole cluster, where it says them.
    pub(super) fn all(&self) -> Option<ClusterNames> {
        let names = ClusterNames { cluster: self.cluster.clone(), nodes: self.nodes.clone() };
        (!self.nodes.is_empty()).then_some(names)
    }

    /// Whether this is one of these nodes.
    pub(super) fn is_in(&self, names: &ClusterNames) -> bool {
        self.cluster == names.cluster
            && names.nodes.contains(&self.node)
            && self.all().is_none_or(|all| all.are(names))
    }
}

/// By which id nats-server knows the node of a name (`getHash` in its `server/events.go`).
pub(super) fn id(name: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digits = Sha256::digest(name).into_iter().take(ID);
    digits.map(|byte| char::from(DIGITS[usize::from(byte) % DIGITS.len()])).collect()
}

/// So many characters has an id.
const ID: usize = 8;

/// The ids in `peers.idx`, in which a node keeps which others it knows (`encodePeerState` in nats-server's
/// `server/raft.go`): two numbers of four bytes, the second that of the ids, and those. None where it has
/// another form.
pub(super) fn ids_in(peers: &[u8]) -> BTreeSet<String> {
    let Some((head, ids)) = peers.split_first_chunk::<8>() else { return BTreeSet::new() };
    let [_, _, _, _, count @ ..] = *head;
    let count = usize::try_from(u32::from_le_bytes(count)).unwrap_or(usize::MAX);
    let ids: Vec<&[u8]> = ids.chunks_exact(ID).take(count).collect();
    let is_id = |id: &&[u8]| id.iter().all(u8::is_ascii_alphanumeric);
    match ids.len() == count && ids.iter().all(is_id) {
        true => ids.into_iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect(),
        false => BTreeSet::new(),
    }
}
