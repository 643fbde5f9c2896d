//! The values in data that have no further values in them, each with where it is.

use crate::e2e::text::data::Data;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Leaf<'a> {
    /// As a JSON pointer.
    pub(super) pointer: String,
    /// Of the object that it is in; an element of an array has the array's.
    pub(super) key: &'a str,
    pub(super) value: &'a Data,
}

/// All of them, in order.
pub(super) fn leaves(data: &Data) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    gather(data, String::new(), "", &mut found);
    found
}

fn gather<'a>(value: &'a Data, pointer: String, key: &'a str, found: &mut Vec<Leaf<'a>>) {
    match value {
        Data::Object(fields) => {
            for (key, value) in fields {
                let step = key.replace('~', "~0").replace('/', "~1");
                gather(value, format!("{pointer}/{step}"), key, found);
            }
        }
        Data::Array(items) | Data::Unordered(items) => {
            for (at, value) in items.iter().enumerate() {
                gather(value, format!("{pointer}/{at}"), key, found);
            }
        }
        value => found.push(Leaf { pointer, key, value }),
    }
}

/// The text of a leaf that could be the same elsewhere: of a number its digits.
pub(super) fn text_of(value: &Data) -> Option<&str> {
    match value {
        Data::String(text) | Data::Text(text) | Data::Number(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_is_found_again_by_its_pointer() {
        let data = Data::read(br#"{"a/b":[1,{"c~":"x"}],"d":{},"e":null}"#);
        let found = leaves(&data);
        for leaf in &found {
            assert_eq!(data.pointer(&leaf.pointer), Some(leaf.value), "{}", leaf.pointer);
        }
        let keys: Vec<&str> = found.iter().map(|leaf| leaf.key).collect();
        assert_eq!(keys, ["a/b", "c~", "e"]);
    }
}
