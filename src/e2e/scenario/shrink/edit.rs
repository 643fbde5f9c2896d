//! What is changed at once in a fixture, and how it is told.

use toml_edit::{DocumentMut, Item, Value};

use super::place::{Changed, Place, Told, Way};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It goes.
    Remove(Place),
    /// It is this number.
    Number(Place, i64),
    /// It is this text.
    Text(Place, String),
    /// The key is another one.
    Rename(Place, String),
    /// It changes places with the one before it.
    Earlier(Place),
}

/// What is changed at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// For people: `step 1: repeat 300 → 3`.
    pub told: String,
    /// Of several that change the same, only one can be.
    pub of: Place,
    /// All of it.
    pub changes: Vec<Change>,
}

impl Edit {
    /// Something goes.
    pub fn without(place: Place) -> Self {
        let told = format!("without {}", Told(&place));
        Self { told, of: place.clone(), changes: vec![Change::Remove(place)] }
    }

    /// Whether the other one has nothing left to do after this one, or is about the same.
    pub fn covers(&self, other: &Edit) -> bool {
        let gone = self.changes.iter().any(|change| match change {
            Change::Remove(place) => other.of.starts_with(place),
            _ => false,
        });
        gone || self.of == other.of
    }

    /// Something becomes something else, for which a text stands.
    pub fn to(place: &[Way], from: &str, to: &str, changes: Vec<Change>) -> Self {
        Self { told: format!("{} {from} → {to}", Told(place)), of: place.to_vec(), changes }
    }
}

/// The text with these edits; `None` where that is no TOML any more, or nothing has changed.
pub fn edited(text: &str, edits: &[&Edit]) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let mut removed = Vec::new();
    for change in edits.iter().flat_map(|edit| &edit.changes) {
        match change {
            Change::Remove(place) => removed.push(place),
            Change::Number(place, number) => set(&mut document, place, (*number).into()),
            Change::Text(place, text) => set(&mut document, place, text.as_str().into()),
            Change::Rename(place, to) => rename(&mut document, place, to),
            Change::Earlier(place) => earlier(&mut document, place),
        }
    }
    // From behind, so that the places before stay what they are.
    removed.sort();
    for place in removed.into_iter().rev() {
        let Some((last, above)) = place.split_last() else { continue };
        if let Some(above) = Changed::find(&mut document, above) {
            above.remove(last);
        }
    }
    Some(document.to_string()).filter(|edited| edited != text)
}

fn set(document: &mut DocumentMut, place: &[Way], to: Value) {
    if let Some(Changed::Leaf(leaf)) = Changed::find(document, place) {
        let decor = leaf.decor().clone();
        *leaf = to;
        *leaf.decor_mut() = decor;
    }
}

fn rename(document: &mut DocumentMut, place: &[Way], to: &str) {
    let Some((Way::Key(from), above)) = place.split_last() else { return };
    match Changed::find(document, above) {
        Some(Changed::Table(table)) if !table.contains_key(to) => {
            if let Some(item) = table.remove(from) {
                table.insert(to, item);
            }
        }
        Some(Changed::Inline(table)) if !table.contains_key(to) => {
            if let Some(value) = table.remove(from) {
                table.insert(to, value);
            }
        }
        _ => {}
    }
}

fn earlier(document: &mut DocumentMut, place: &[Way]) {
    let Some((Way::At(index @ 1..), above)) = place.split_last() else { return };
    if let Some(Changed::Tables(tables)) = Changed::find(document, above) {
        let mut all: Vec<_> = std::mem::take(tables).into_iter().collect();
        if *index < all.len() {
            // Tables are written by their positions.
            let (one, other) = (all[index - 1].position(), all[*index].position());
            all.swap(index - 1, *index);
            all[index - 1].set_position(one);
            all[*index].set_position(other);
        }
        all.into_iter().for_each(|table| tables.push(table));
    }
}

/// A fixture with rows, with this one only.
pub fn only_row(text: &str, row: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let rows = document.get_mut("row").and_then(Item::as_array_of_tables_mut)?;
    rows.retain(|table| table.get("name").and_then(Item::as_str) == Some(row));
    Some(document.to_string())
}
