//! By which names each folder of a store is served, or why by none, and what to do.
//!
//! A name goes with the streams that were made under it: where a folder says which node it is, that is believed,
//! wherever it lies. Files can be copied alone; then the ids that are among the streams tell which are right.

use std::collections::BTreeSet;
use std::path::Path;

use super::found::{Found, NAMES, Node, Said};
use super::said::{ClusterNames, Own};
use crate::broker::error::StartError;

/// All names, and those of the folders `node-0`, `node-1`, … in their order.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) names: ClusterNames,
    pub(super) by_folder: Vec<String>,
}

/// What every refusal may end with.
const ELSEWHERE: &str = "choose another folder for --store-dir";

/// `None` where nothing is kept yet.
///
/// # Errors
/// What there is does not say, or contradicts itself; with what to do.
pub(super) fn decide(found: &Found) -> Result<Option<Decided>, StartError> {
    let names = match &found.list {
        Said::Is(names) => {
            let why = contradiction(found, names);
            why.map_or(Ok(names.clone()), |why| Err(unusable_list(found, why)))?
        }
        Said::Nothing if found.with_streams().next().is_none() => return Ok(None),
        Said::Unreadable(why) => return Err(unusable_list(found, why.clone())),
        Said::Nothing => said_by_nodes(found).map_err(|_| {
            unusable_list(found, "it is missing, and the nodes have streams".to_owned())
        })?,
        Said::Garbled(why) => {
            said_by_nodes(found).map_err(|_| unusable_list(found, why.clone()))?
        }
    };
    let by_folder = place(found, &names)?;
    Ok(Some(Decided { names, by_folder }))
}

/// Why these cannot be the names of what is stored.
fn contradiction(found: &Found, names: &ClusterNames) -> Option<String> {
    let with_streams = || found.with_streams();
    let votes = votes(found, names);
    let is_said = with_streams().any(|node| !node.peers.is_empty() || node.told().is_some());
    if is_said {
        let is_other = votes == Votes::default()
            || of_nodes(found)
                .iter()
                .any(|other| !other.are(names) && self::votes(found, other) > votes);
        return is_other.then(|| "the nodes have other names".to_owned());
    }
    let (named, count) = (names.nodes.len(), with_streams().count());
    (count > named)
        .then(|| format!("it has the names of {named}, and there are streams of {count}"))
}

/// What speaks for names: the ids that the streams were made with, then what the nodes' files say, which may have
/// been copied alone.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Votes {
    ids: usize,
    files: usize,
}

fn votes(found: &Found, names: &ClusterNames) -> Votes {
    let ids = names.ids();
    let nodes = || found.with_streams();
    Votes {
        ids: nodes().map(|node| node.peers.intersection(&ids).count()).sum(),
        files: nodes().filter_map(Node::told).filter(|own| own.is_in(names)).count(),
    }
}

/// The names that nodes say.
fn of_nodes(found: &Found) -> Vec<ClusterNames> {
    let told: Vec<&Own> = found.with_streams().filter_map(Node::told).collect();
    let mut all: Vec<ClusterNames> = Vec::new();
    for names in told.iter().filter_map(|own| own.all()).chain(of_each(found, &told)) {
        if !all.iter().any(|one| one.are(&names)) {
            all.push(names);
        }
    }
    all
}

/// The names that most of the nodes speak for; else why there are none.
fn said_by_nodes(found: &Found) -> Result<ClusterNames, &'static str> {
    let mut all: Vec<(Votes, ClusterNames)> =
        of_nodes(found).into_iter().map(|names| (votes(found, &names), names)).collect();
    let streams_say = found.with_streams().any(|node| !node.peers.is_empty());
    all.retain(|(votes, _)| votes.ids > 0 || !streams_say);
    let most = all.iter().map(|(votes, _)| votes).max();
    let first =
        all.iter().position(|(votes, _)| Some(votes) == most).ok_or("no node says all of them")?;
    match all.iter().filter(|(votes, _)| Some(votes) == most).count() {
        1 => Ok(all.swap_remove(first).1),
        _ => Err("the nodes do not say the same"),
    }
}

/// Those that each node says of itself alone, as an older version had it: all must be there.
fn of_each(found: &Found, told: &[&Own]) -> Option<ClusterNames> {
    let cluster = told.first()?.cluster.clone();
    let nodes: Vec<String> = told.iter().map(|own| own.node.clone()).collect();
    let distinct = nodes.iter().collect::<BTreeSet<_>>().len() == nodes.len();
    let is_whole = found
        .with_streams()
        .enumerate()
        .all(|(at, node)| node.index == at && node.told().is_some());
    let is_one = told.iter().all(|own| own.cluster == cluster && own.nodes.is_empty());
    (distinct && is_whole && is_one && nodes.len() >= 3).then_some(ClusterNames { cluster, nodes })
}

/// Gives each folder its name: that which it says, else that of its place, else one that is left.
fn place(found: &Found, names: &ClusterNames) -> Result<Vec<String>, StartError> {
    let count = names.nodes.len();
    if let Some(node) = found.nodes.iter().find(|node| matches!(node.own, Said::Unreadable(_)))
        && let Said::Unreadable(why) = &node.own
    {
        return Err(unusable(&node.names(), why.clone(), written_anew(&node.names())));
    }
    let mut placed: Vec<Option<String>> = vec![None; count];
    // Those at their own place first: of two that say the same, they are no copy.
    let is_at_home = |node: &&Node| {
        node.told().is_some_and(|own| names.nodes.get(node.index) == Some(&own.node))
    };
    let (home, moved): (Vec<&Node>, Vec<&Node>) = found.with_streams().partition(is_at_home);
    for node in home.into_iter().chain(moved) {
        if node.index >= count {
            return Err(too_far(found, names, node));
        }
        if !node.peers.is_empty() && node.peers.is_disjoint(&names.ids()) {
            let why = "the streams beside it are another cluster's".to_owned();
            return Err(unusable(&node.names(), why, put_back(found, names, node)));
        }
        let Some(own) = node.told() else { continue };
        if !own.is_in(names) {
            return Err(of_another(found, names, node));
        }
        if let Some(other) = placed.iter().position(|name| name.as_ref() == Some(&own.node)) {
            let why = format!("node-{other} is that node too: one of both is a copy");
            return Err(unusable(&node.names(), why, put_back(found, names, node)));
        }
        placed[node.index] = Some(own.node.clone());
    }
    let mut left: Vec<&String> =
        names.nodes.iter().filter(|name| !placed.contains(&Some((*name).clone()))).collect();
    for (index, name) in names.nodes.iter().enumerate() {
        if placed[index].is_none()
            && let Some(at) = left.iter().position(|one| *one == name)
        {
            placed[index] = Some(left.remove(at).clone());
        }
    }
    let mut left = left.into_iter().cloned();
    Ok(placed.into_iter().filter_map(|name| name.or_else(|| left.next())).collect())
}

/// A folder says names that are not those of this cluster.
fn of_another(found: &Found, names: &ClusterNames, node: &Node) -> StartError {
    let (file, why) = (node.names(), "it is that of another cluster's node".to_owned());
    let remedy = match node.peers.is_empty() {
        true => put_back(found, names, node),
        // The streams beside it are ours.
        false => written_anew(&file),
    };
    unusable(&file, why, remedy)
}

/// What to do about a folder that is not this cluster's node. What a majority has is kept.
fn put_back(found: &Found, names: &ClusterNames, node: &Node) -> String {
    let (folder, count) = (node.folder.display(), names.nodes.len());
    let is_good =
        |one: &&Node| one.index != node.index && one.told().is_none_or(|own| own.is_in(names));
    let who = |one: &Node| one.told().map_or_else(|| one.index.to_string(), |own| own.node.clone());
    let good = found.with_streams().filter(is_good).map(who).collect::<BTreeSet<_>>().len();
    let majority = count / 2 + 1;
    let begins = "the node begins empty then, and is filled from the others";
    match good >= majority {
        true => format!("move {folder} away: {begins}"),
        false => format!(
            "put the nodes' own folders back from a copy of the store; without one, move {folder} away: \
             {begins}, and what only the nodes that are missing had stored is lost, for {good} of {count} \
             are left"
        ),
    }
}

/// A folder of a node whose number the cluster does not have.
fn too_far(found: &Found, names: &ClusterNames, node: &Node) -> StartError {
    let count = names.nodes.len();
    let has_streams = |index: usize| found.with_streams().any(|node| node.index == index);
    let free = (0..count).find(|index| !has_streams(*index));
    let why = format!("the cluster has node-0 to node-{}", count - 1);
    let remedy = match (node.told().filter(|own| own.is_in(names)), free) {
        (Some(_), Some(free)) => {
            let there = found.store.join(format!("node-{free}"));
            let in_the_way = match found.nodes.iter().any(|node| node.index == free) {
                true => format!("move {}, which has no streams, away, and ", there.display()),
                false => String::new(),
            };
            format!("{in_the_way}rename {} to {}", node.folder.display(), there.display())
        }
        _ => put_back(found, names, node),
    };
    unusable(&node.names(), why, remedy)
}

fn written_anew(file: &Path) -> String {
    format!("move {} away: it is written anew", file.display())
}

/// `cluster.names` cannot be used; the nodes may say what it should.
fn unusable_list(found: &Found, why: String) -> StartError {
    let path = found.store.join(NAMES);
    let shown = path.display();
    let is_there = !matches!(found.list, Said::Nothing);
    let remedy = match said_by_nodes(found) {
        _ if is_there && found.with_streams().next().is_none() => {
            format!("move {shown} away: no node has streams, and new names are written")
        }
        Ok(_) => format!("move {shown} away: it is written anew from what the nodes say"),
        Err(but) => format!("put {shown} back from a copy of the store, for {but}; or {ELSEWHERE}"),
    };
    unusable(&path, why, remedy)
}

fn unusable(path: &Path, why: String, remedy: String) -> StartError {
    StartError::ClusterNames { path: path.to_owned(), why, remedy }
}
