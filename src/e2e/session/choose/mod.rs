//! Which scenarios, with which clients, in which shard.

pub(crate) mod expression;
pub(crate) mod shard;

pub use expression::{Expression, Subject};
pub use shard::Shard;

use std::{collections::BTreeSet, path::PathBuf};

use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::error::nearest;

/// Runs by scenario and client.
pub type Runs = BTreeSet<(String, String)>;

/// Which runs are wanted; empty is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A whole name, a folder with a `/` at its end, a pattern with `*`, or part of a name.
    pub names: Vec<String>,
    /// Tags, any of which is enough.
    pub tags: Vec<String>,
    /// And only those of these files: fixtures, shared steps, golden files, as they are shown.
    pub only: Option<BTreeSet<PathBuf>>,
    /// And this holds.
    pub expression: Option<Expression>,
    /// And only these, as `--last-failed` knows them.
    pub failed: Option<Runs>,
    /// And of what is left, this part.
    pub shard: Option<Shard>,
}

impl Filter {
    /// Scenarios by name and tag. A name that is a whole one chooses that scenario and no longer
    /// name.
    pub fn choose(&self, fixtures: Vec<Fixture>) -> Vec<Fixture> {
        let whole: Vec<bool> = self
            .names
            .iter()
            .map(|wanted| fixtures.iter().any(|fixture| fixture.name.as_str() == wanted))
            .collect();
        let by_name = |fixture: &Fixture| {
            self.names.is_empty()
                || self.names.iter().zip(&whole).any(|(wanted, whole)| match whole {
                    true => fixture.name.as_str() == wanted,
                    false => name_matches(wanted, fixture.name.as_str()),
                })
        };
        let by_tag = |fixture: &Fixture| {
            self.tags.is_empty() || fixture.tags.iter().any(|tag| self.tags.contains(tag))
        };
        let by_only = |fixture: &Fixture| {
            self.only.as_ref().is_none_or(|only| fixture.files().any(|file| only.contains(&file)))
        };
        let by_failed = |fixture: &Fixture| {
            let is_it = |(scenario, _): &(String, String)| scenario == fixture.name.as_str();
            self.failed.as_ref().is_none_or(|failed| failed.iter().any(is_it))
        };
        let wanted = |fixture: &Fixture| {
            by_name(fixture) && by_tag(fixture) && by_only(fixture) && by_failed(fixture)
        };
        fixtures.into_iter().filter(wanted).collect()
    }

    /// Whether a fixture with mistakes may be meant, of which only the name of its file is known; of those
    /// without mistakes all names are, and `files` are the files of those with.
    pub fn may_choose(&self, file: &str, fixtures: &[Fixture], files: &[String]) -> bool {
        let names = || fixtures.iter().map(|fixture| fixture.name.as_str());
        let is_in = |wanted: &str, file: &str| {
            let row = wanted.strip_prefix(file).is_some_and(|row| row.starts_with('/'));
            row || name_matches(wanted, file)
        };
        let is_meant = |wanted: &String| {
            let is_whole = names().any(|name| name == wanted);
            // What is nowhere else may be one of its rows.
            let is_elsewhere = || {
                names().any(|name| name_matches(wanted, name))
                    || files.iter().any(|file| is_in(wanted, file))
            };
            !is_whole && (is_in(wanted, file) || !is_elsewhere())
        };
        self.names.is_empty() || self.names.iter().any(is_meant)
    }

    /// The names that no scenario of the suite has.
    pub fn wrong_names<'a>(&'a self, fixtures: &'a [Fixture]) -> impl Iterator<Item = &'a String> {
        let has = |fixture: &Fixture, wanted: &str| name_matches(wanted, fixture.name.as_str());
        self.names.iter().filter(move |wanted| !fixtures.iter().any(|one| has(one, wanted)))
    }

    /// The names and tags that nothing of the suite has, each with what was meant, perhaps.
    pub fn unmatched(&self, fixtures: &[Fixture]) -> Vec<(String, Option<String>)> {
        let names = || fixtures.iter().map(|fixture| fixture.name.as_str());
        let tags = || fixtures.iter().flat_map(|fixture| fixture.tags.iter().map(String::as_str));
        let of_name = |typo: &str| {
            if tags().any(|tag| tag == typo) {
                return Some(format!("--tag {typo}"));
            }
            let whole = nearest(typo, names()).map(str::to_owned);
            // A name is long: its parts are what is typed.
            whole.or_else(|| {
                let part = nearest(typo.trim_end_matches('/'), names().flat_map(|n| n.split('/')))?;
                names().find(|name| name.split('/').any(|one| one == part)).map(|name| {
                    match name.ends_with(part) {
                        true => name.to_owned(),
                        false => format!("{part}/"),
                    }
                })
            })
        };
        let of_tag = |typo: &str| {
            let near = nearest(typo, tags()).map(|tag| format!("--tag {tag}"));
            near.or_else(|| names().find(|name| name_matches(typo, name)).map(str::to_owned))
        };
        let wrong_tags = self.tags.iter().filter(|wanted| !tags().any(|tag| tag == *wanted));
        let names = self.wrong_names(fixtures).map(|wanted| (wanted.clone(), of_name(wanted)));
        names.chain(wrong_tags.map(|tag| (format!("--tag {tag}"), of_tag(tag)))).collect()
    }

    /// Whether a scenario is to run with a client.
    pub fn takes(&self, fixture: &Fixture, client: &str) -> bool {
        let name = fixture.name.as_str();
        let is_it = |(scenario, by): &(String, String)| scenario == name && by == client;
        self.failed.as_ref().is_none_or(|failed| failed.iter().any(is_it))
            && self.expression.as_ref().is_none_or(|expression| {
                expression.holds(Subject { name, tags: &fixture.tags, client })
            })
    }

    /// The filter as it was given, for a message.
    pub fn words(&self) -> Vec<String> {
        let tags = self.tags.iter().map(|tag| format!("--tag {tag}"));
        let expression = self.expression.iter().map(|filter| format!("--filter '{filter}'"));
        let shard = self.shard.iter().map(|shard| format!("--shard {shard}"));
        let failed = self.failed.iter().map(|_| "--last-failed".to_owned());
        let all = self.names.iter().cloned().chain(tags).chain(expression);
        all.chain(failed).chain(shard).collect()
    }
}

/// A folder ends with `/`, a pattern has a `*`; anything else is part of a name.
fn name_matches(wanted: &str, name: &str) -> bool {
    if wanted.contains('*') {
        return pattern_matches(wanted, name);
    }
    if wanted.ends_with('/') { name.starts_with(wanted) } else { name.contains(wanted) }
}

/// `*` stands for any text, the whole name must match.
fn pattern_matches(pattern: &str, name: &str) -> bool {
    let (first, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    // The last part is the name's end; those before are found from the left.
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_matched_by_part_folder_or_pattern() {
        let name = "orders/broker-killed";
        for yes in ["broker", "orders/", "orders/*", "*killed", "*/b*k*", "orders/broker-killed*"] {
            assert!(name_matches(yes, name), "{yes}");
        }
        for no in ["sums", "broker/", "*broker", "killed*", "orders*x*"] {
            assert!(!name_matches(no, name), "{no}");
        }
    }
}
