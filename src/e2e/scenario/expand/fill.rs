//! Values in the place of their names.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::e2e::scenario::data::to_json;
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::item::Item;
use crate::e2e::text::template;
use crate::e2e::text::template::Variables;

/// Values by name.
pub(in crate::e2e) type Values<'t> = BTreeMap<String, DeValue<'t>>;

/// The entries of a table, by name.
pub(in crate::e2e) fn values<'t>(table: &DeTable<'t>) -> Values<'t> {
    table.iter().map(|(key, item)| (key.get_ref().to_string(), item.get_ref().clone())).collect()
}

/// All names that any string of a table uses.
pub(in crate::e2e) fn names_in(table: &DeTable<'_>) -> BTreeSet<String> {
    fn value(item: &Item<'_>, names: &mut BTreeSet<String>) {
        match item.get_ref() {
            DeValue::String(text) => {
                names.extend(template::names(text).into_iter().map(str::to_owned));
            }
            DeValue::Array(items) => items.iter().for_each(|item| value(item, names)),
            DeValue::Table(inner) => {
                for (key, item) in inner {
                    names.extend(template::names(key.get_ref()).into_iter().map(str::to_owned));
                    value(item, names);
                }
            }
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    table.values().for_each(|item| value(item, &mut names));
    names
}

/// Puts values in the place of their names, keys included; other names stay.
pub(in crate::e2e) fn fill_table<'t>(table: &mut DeTable<'t>, values: &Values<'t>) {
    for (_, item) in table.iter_mut() {
        fill(item, values);
    }
    let filled: Vec<_> = table
        .keys()
        .filter_map(|key| Some((key.clone(), fill_text(key.get_ref(), values)?)))
        .collect();
    for (key, name) in filled {
        if let Some(item) = table.remove(&key) {
            table.insert(Spanned::new(key.span(), Cow::Owned(name)), item);
        }
    }
}

fn fill<'t>(item: &mut Item<'t>, values: &Values<'t>) {
    let filled = match item.get_mut() {
        DeValue::String(text) => match template::alone(text).and_then(|name| values.get(name)) {
            Some(value) => Some(value.clone()),
            None => fill_text(text, values).map(|text| DeValue::String(Cow::Owned(text))),
        },
        DeValue::Array(items) => {
            items.iter_mut().for_each(|item| fill(item, values));
            None
        }
        DeValue::Table(table) => {
            fill_table(table, values);
            None
        }
        _ => None,
    };
    if let Some(filled) = filled {
        *item = Spanned::new(item.span(), filled);
    }
}

/// The text with values in it; `None` where it uses none of them.
fn fill_text(text: &str, values: &Values<'_>) -> Option<String> {
    let used = template::names(text).into_iter().filter_map(|name| {
        let value = Spanned::new(0..0, values.get(name)?.clone());
        Some((name.to_owned(), to_json(&value, &mut Findings::default())))
    });
    let used: BTreeMap<String, Value> = used.collect();
    (!used.is_empty()).then(|| template::fill_some(text, &Variables::from(used)))
}
