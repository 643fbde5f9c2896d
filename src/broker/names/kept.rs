//! The names of a store folder: found, or new, and written down.

use std::path::Path;

use super::decide::{Decided, decide};
use super::found::{Found, NAMES, Said, index_of};
use super::said::{ClusterNames, Own};
use crate::broker::error::StartError;
use crate::broker::store::OwnedStore;
use crate::{private, whole};

/// Those that a store folder was made with, for its folders `node-0`, `node-1`, … in their order; new ones for
/// a new folder. It is ours as long as the second value is held. What is refused is left as it is.
///
/// # Errors
/// Another broker uses the folder; it is that of a single server or of a cluster of another size; its names are
/// lost, torn or those of another cluster.
pub(in crate::broker) fn kept_in(
    store: &Path,
    nodes: usize,
) -> Result<(ClusterNames, OwnedStore), StartError> {
    // Making it ours already changes a file.
    look(store, nodes)?;
    let owned = OwnedStore::take(store)?;
    let (found, decided) = look(owned.folder(), nodes)?;
    let decided = decided.unwrap_or_else(|| {
        let names = ClusterNames::new(nodes);
        Decided { by_folder: names.nodes.clone(), names }
    });
    write(&found, &decided)?;
    let Decided { names, by_folder } = decided;
    Ok((ClusterNames { nodes: by_folder, ..names }, owned))
}

/// What there is, and what follows from it; nothing where there is nothing yet.
fn look(store: &Path, asked: usize) -> Result<(Found, Option<Decided>), StartError> {
    may_be_used(store)?;
    let found = Found::look(store)?;
    if found.alone && !found.is_of_cluster() {
        // Nobody would look for its streams in the folders of nodes.
        return Err(StartError::StoreOfOne { store: store.to_owned() });
    }
    let decided = decide(&found)?;
    match &decided {
        Some(decided) if decided.names.nodes.len() != asked => {
            Err(other_size(store, decided.names.nodes.len(), asked))
        }
        _ => Ok((found, decided)),
    }
}

fn may_be_used(store: &Path) -> Result<(), StartError> {
    match private::check(store) {
        // It is made where it is not there yet.
        Err(source) if private::is_refusal(&source) => {
            Err(StartError::Prepare { what: "the store folder", path: store.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Writes what is not written yet.
fn write(found: &Found, decided: &Decided) -> Result<(), StartError> {
    let problem = |what, path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Prepare { what, path, source }
    };
    let Decided { names, by_folder } = decided;
    let path = found.store.join(NAMES);
    if !matches!(&found.list, Said::Is(list) if list == names) {
        whole::write(&path, names.text())
            .map_err(problem("the file of the cluster's names", &path))?;
    }
    for (index, name) in by_folder.iter().enumerate() {
        let own =
            Own { cluster: names.cluster.clone(), node: name.clone(), nodes: names.nodes.clone() };
        let node = found.nodes.iter().find(|node| node.index == index);
        if node.and_then(|node| node.told()) == Some(&own) {
            continue;
        }
        let folder = found.store.join(format!("node-{index}"));
        let path = folder.join(super::found::OWN);
        private::folder(&folder).map_err(problem("the folder of a node", &folder))?;
        whole::write(&path, own.text()).map_err(problem("the file of a node's names", &path))?;
    }
    Ok(())
}

fn other_size(store: &Path, found: usize, asked: usize) -> StartError {
    StartError::OtherCluster { store: store.to_owned(), found, asked }
}

/// Whether a store folder is that of a cluster, whose streams are in folders of its nodes.
///
/// # Errors
/// It cannot be read.
pub fn is_of_cluster(folder: &Path) -> Result<bool, StartError> {
    Ok(Found::look(folder)?.is_of_cluster())
}

/// Refuses the store folder of a cluster to a single server, which would begin beside its streams.
pub(in crate::broker) fn refuse_cluster(folder: &Path) -> Result<(), StartError> {
    may_be_used(folder)?;
    // A node's own folder has the names beside it.
    let above = folder.parent().filter(|_| index_of(folder).is_some()).map(Path::to_owned);
    for folder in [Some(folder.to_owned()), above].into_iter().flatten() {
        let found = Found::look(&folder)?;
        if found.is_of_cluster()
            && let Some(decided) = decide(&found)?
        {
            return Err(other_size(&folder, decided.names.nodes.len(), 1));
        }
    }
    Ok(())
}
