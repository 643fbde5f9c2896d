//! One scenario a row.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::fill::{Values, fill_table, names_in, values};
use super::names::check_name;
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::reader::Fields;
use crate::e2e::text::span::Span;

/// The most rows of a fixture.
const MOST_ROWS: usize = 1000;

/// A document without rows and includes, and the row that it is.
pub(in crate::e2e) struct Written<'t> {
    /// The row's name; `None` in a fixture without rows.
    pub row: Option<String>,
    pub document: DeTable<'t>,
    /// Names that have been replaced wherever they have a value.
    pub names: Vec<String>,
}

/// One document a row.
pub(in crate::e2e) fn rows<'t>(
    mut document: DeTable<'t>,
    findings: &mut Findings,
) -> Vec<Written<'t>> {
    let top = Fields::unchecked(&document);
    if top.get("row").is_none() {
        return vec![Written { row: None, document, names: Vec::new() }];
    }
    let mut rows: Vec<(String, Values<'t>)> = Vec::new();
    let mut all: BTreeMap<String, Span> = BTreeMap::new();
    let tables: Vec<(DeTable<'t>, Span)> = top
        .tables("row", findings)
        .into_iter()
        .map(|(table, span)| (table.clone(), span))
        .collect();
    for (key, span) in tables.iter().flat_map(|(table, _)| Fields::unchecked(table).keys()) {
        all.entry(key.to_owned()).or_insert(span);
    }
    if tables.len() > MOST_ROWS {
        findings
            .add(tables[MOST_ROWS].1.clone(), format!("a fixture has at most {MOST_ROWS} rows"));
        return Vec::new();
    }
    document.remove("row");
    let used = names_in(&document);
    for (table, span) in tables {
        if let Some(row) = row(table, span, &all, &rows, findings) {
            rows.push(row);
        }
    }
    for (key, span) in all.iter().filter(|(key, _)| *key != "name" && !used.contains(*key)) {
        let help = format!("`{{{{{key}}}}}` in a step or a setting is its value");
        findings.add_with_help(span.clone(), format!("`{key}` of this row is used nowhere"), help);
    }
    if rows.is_empty() && findings.problems.is_empty() {
        findings.add(0..0, "`row` has no row");
    }
    let names: Vec<String> = all.into_keys().collect();
    let written = |(name, values): (String, Values<'t>)| {
        let mut document = document.clone();
        fill_table(&mut document, &values);
        Written { row: Some(name), document, names: names.clone() }
    };
    rows.into_iter().map(written).collect()
}

/// Checks one row: its name, that it has what all others have, and that it hides nothing.
fn row<'t>(
    table: DeTable<'t>,
    span: Span,
    all: &BTreeMap<String, Span>,
    before: &[(String, Values<'t>)],
    findings: &mut Findings,
) -> Option<(String, Values<'t>)> {
    let fields = Fields { table: &table, span: span.clone() };
    let Some(name) = fields.text("name", findings) else {
        if fields.get("name").is_none() {
            let help = "it is the last part of the scenario's name, as in `sums/division/by-zero`";
            findings.add_with_help(span, "a row has a `name`", help);
        }
        return None;
    };
    if crate::wire::subjects::Token::new(&name).is_err() || name.contains('_') {
        let message = format!(
            "`{name}` cannot name a row: expected lower-case letters, digits and single hyphens"
        );
        findings.add(fields.span_of("name"), message);
        return None;
    }
    if before.iter().any(|(other, _)| *other == name) {
        findings.add(fields.span_of("name"), format!("there are two rows `{name}`"));
    }
    for key in all.keys().filter(|key| fields.get(key).is_none()) {
        let message = format!("row `{name}` has no `{key}`, which another row has");
        findings.add(span.clone(), message);
    }
    for (key, span) in fields.keys() {
        check_name(key, &span, "row", findings);
    }
    Some((name, values(&table)))
}
