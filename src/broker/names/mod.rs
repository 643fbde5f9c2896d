//! The names of a cluster and its nodes, kept in its store folder. The nodes know each other by them: under
//! other names they would wait for ever for those that are gone.
//!
//! `cluster.names` has all of them; `node.names` in each node's folder has them too, and says which is its own.
//! So the folders can be told apart wherever they are moved, and what is lost of one file another one has.
//!
//! | file | idea |
//! | --- | --- |
//! | `said` | what the files say |
//! | `found` | what there is in a store folder; reads only |
//! | `decide` | by which names each folder is served, or why by none, and what to do |
//! | `kept` | the names of a store folder: found, or new, and written down |

mod decide;
mod found;
mod kept;
mod said;
#[cfg(test)]
mod tests;

pub use kept::is_of_cluster;
pub(super) use kept::{kept_in, refuse_cluster};
pub(super) use said::ClusterNames;
