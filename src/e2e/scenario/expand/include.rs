//! The steps of a file in the place of the step that includes it.

use std::collections::BTreeSet;

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::fill::{Values, fill_table, names_in, values};
use super::gather::check_path;
use super::names::check_name;
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::item::Item;
use crate::e2e::scenario::keys;
use crate::e2e::scenario::reader::Fields;
use crate::e2e::text::span::Span;

/// The most steps that a scenario has, those of its includes among them.
const MOST_STEPS: usize = 10_000;

/// Writes out includes.
pub(in crate::e2e) struct Writer<'s, 't> {
    /// In the order in which they are asked for.
    pub(in crate::e2e) shared: std::slice::Iter<'s, Option<DeTable<'t>>>,
    /// How many there are so far.
    pub(in crate::e2e) steps: usize,
    /// Of all files that are included.
    pub(in crate::e2e) params: BTreeSet<String>,
}

impl<'t> Writer<'_, 't> {
    /// The steps with those of their includes in place; `stack` has the files that are being
    /// included.
    pub(in crate::e2e) fn steps(
        &mut self,
        array: &DeArray<'t>,
        stack: &mut Vec<String>,
        findings: &mut Findings,
    ) -> DeArray<'t> {
        let mut out = DeArray::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) if table.contains_key("include") => {
                    for step in self.include(table, item.span(), stack, findings) {
                        out.push(step);
                    }
                }
                _ if self.steps == MOST_STEPS => {
                    let message = format!(
                        "a scenario has at most {MOST_STEPS} steps, those it includes among them"
                    );
                    findings.add(item.span(), message);
                    self.steps += 1;
                }
                _ if self.steps > MOST_STEPS => {}
                _ => {
                    self.steps += 1;
                    out.push(item.clone());
                }
            }
        }
        out
    }

    fn include(
        &mut self,
        table: &DeTable<'t>,
        span: Span,
        stack: &mut Vec<String>,
        findings: &mut Findings,
    ) -> Vec<Item<'t>> {
        let known = keys::words(keys::INCLUDE);
        let fields = Fields { table, span };
        for (key, span) in fields.keys().filter(|(key, _)| !known.contains(key)) {
            let help = "`include` takes `with`: the values of its parameters";
            findings.add_with_help(span, format!("`{key}` does not go with `include`"), help);
        }
        let place = fields.span_of("include");
        let Some(path) = fields.text("include", findings) else { return Vec::new() };
        if let Err(message) = check_path(&path) {
            findings.add(place, message);
            return Vec::new();
        }
        if stack.contains(&path) {
            let way = stack.iter().chain([&path]).map(String::as_str).collect::<Vec<_>>();
            findings.add(place, format!("`{path}` includes itself: {}", way.join(" → ")));
            return Vec::new();
        }
        // What cannot be read has been told.
        let Some(Some(document)) = self.shared.next() else { return Vec::new() };
        let before = findings.problems.len();
        let file = Fields::new(
            document,
            0..0,
            "key of shared steps",
            &keys::words(keys::SHARED),
            findings,
        );
        let params = file.texts("params", findings).unwrap_or_default();
        let used = names_in(document);
        for param in &params {
            check_name(param, &file.span_of("params"), "file", findings);
            if !used.contains(param) {
                findings
                    .add(file.span_of("params"), format!("`{param}` is used nowhere in `{path}`"));
            }
        }
        let given = self.given(&path, &fields, &params, findings);
        let mut steps = DeArray::new();
        for (table, span) in file.tables("step", findings) {
            let mut table = table.clone();
            fill_table(&mut table, &given);
            steps.push(Spanned::new(span, DeValue::Table(table)));
        }
        if steps.is_empty() && findings.problems.len() == before {
            findings.add(place, format!("`{path}` has no `[[step]]`"));
        }
        self.params.extend(params);
        stack.push(path);
        let steps = self.steps(&steps, stack, findings);
        stack.pop();
        steps.iter().cloned().collect()
    }

    /// The parameters' values: all of them, and no others.
    fn given(
        &self,
        path: &str,
        fields: &Fields<'_, 't>,
        params: &[String],
        findings: &mut Findings,
    ) -> Values<'t> {
        let with = fields.table("with", findings).map(|(table, span)| (table.clone(), span));
        let (table, span) = with.unwrap_or_else(|| (DeTable::new(), fields.span_of("include")));
        let known: Vec<&str> = params.iter().map(String::as_str).collect();
        let what = format!("parameter of `{path}`");
        let given = Fields::new(&table, span.clone(), &what, &known, findings);
        for param in known.iter().filter(|param| given.get(param).is_none()) {
            findings.add_with_help(
                span.clone(),
                format!("`{path}` needs the parameter `{param}`"),
                format!("`with = {{ {param} = … }}` gives it"),
            );
        }
        values(&table)
    }
}
