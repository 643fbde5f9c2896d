//! A protocol on paper, from its types: the pieces that pages in Markdown are made of.

use std::fmt::Write as _;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema of one type.
pub fn of<T: schemars::JsonSchema>() -> Value {
    generator().into_root_schema_for::<T>().to_value()
}

/// What gathers the schemas of several.
pub fn generator() -> SchemaGenerator {
    SchemaGenerator::new(SchemaSettings::draft2020_12())
}

/// JSON Schema (2020-12) of a line either way; what `generator` was asked for before is among its
/// definitions.
pub fn lines<In: schemars::JsonSchema, Out: schemars::JsonSchema>(
    mut generator: SchemaGenerator,
    title: &str,
) -> Value {
    let (command, reply) = (generator.subschema_for::<In>(), generator.subschema_for::<Out>());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "anyOf": [command, reply],
        "$defs": generator.take_definitions(true),
    })
}

/// The `//!` lines of a file.
pub fn head(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text =
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    plain(&text)
}

/// A sentence of a doc comment, without links into Rust: a variant is its word, in small letters.
fn plain(text: &str) -> String {
    let text = text.replace("[`", "`").replace("`]", "`");
    let mut parts = text.split('`').map(str::to_owned).collect::<Vec<_>>();
    for code in parts.iter_mut().skip(1).step_by(2) {
        if let Some((owner, member)) = code.split_once("::")
            && owner.starts_with(char::is_uppercase)
        {
            *code = member.to_lowercase();
        }
    }
    parts.join("`")
}

/// What a type, a variant or a field says of itself.
pub fn described(schema: &Value) -> String {
    plain(schema["description"].as_str().unwrap_or_default())
}

/// A table of an object's members but `tag`; those that are required come first. `named` is how a type
/// is called that the schema refers to, if the page says more of it.
pub fn fields(out: &mut String, object: &Value, tag: &str, named: &dyn Fn(&str) -> Option<String>) {
    let none = Map::new();
    let properties = object["properties"].as_object().unwrap_or(&none);
    let required =
        |name: &str| object["required"].as_array().into_iter().flatten().any(|other| other == name);
    let mut members: Vec<_> = properties.iter().filter(|(name, _)| *name != tag).collect();
    members.sort_by_key(|(name, _)| !required(name));
    if members.is_empty() {
        return;
    }
    out.push_str("\n| field | type | meaning |\n| --- | --- | --- |\n");
    for (name, schema) in members {
        let optional = if required(name) { "" } else { ", optional" };
        let text = described(schema).replace('\n', " ");
        let _ = writeln!(out, "| `{name}` | {}{optional} | {text} |", type_of(schema, named));
    }
}

/// A table of the words of an enumeration.
pub fn words(out: &mut String, title: &str, schema: &Value) {
    let _ = write!(out, "\n| {title} | meaning |\n| --- | --- |\n");
    for word in schema["oneOf"].as_array().into_iter().flatten() {
        let text = described(word).replace('\n', " ");
        let _ = writeln!(out, "| `{}` | {text} |", word["const"].as_str().unwrap_or_default());
    }
}

fn type_of(schema: &Value, called: &dyn Fn(&str) -> Option<String>) -> String {
    let named = |value: &Value| match value.as_str() {
        Some("array") => {
            let items = type_of(&schema["items"], called);
            if items == "any" { "list".to_owned() } else { format!("list of {items}") }
        }
        Some("integer") => "whole number".to_owned(),
        Some("object") => match schema["additionalProperties"]["type"].as_str() {
            Some("array") => "lists of strings by name".to_owned(),
            Some("string") => "strings by name".to_owned(),
            _ => match &schema["additionalProperties"] {
                of if of["$ref"].is_string() => format!("{}, by name", type_of(of, called)),
                _ => "object".to_owned(),
            },
        },
        Some(word) => word.to_owned(),
        None => "any".to_owned(),
    };
    match &schema["type"] {
        Value::Array(types) => {
            types.iter().filter(|name| *name != "null").map(named).collect::<Vec<_>>().join(" or ")
        }
        Value::Null => {
            // An optional one is any of itself and null.
            let one = schema["anyOf"].as_array().and_then(|any| any.first()).unwrap_or(schema);
            let name = one["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            name.and_then(called).unwrap_or_else(|| "any".to_owned())
        }
        one => named(one),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn links_into_rust_are_words() {
        let said = super::plain("first [`Op::Hello`], as `x` of [`Ack`]; `http://a::b`");
        assert_eq!(said, "first `hello`, as `x` of `Ack`; `http://a::b`");
    }
}
