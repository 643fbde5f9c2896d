//! Where something stands in a document: tables and arrays in whatever way they are written.

use std::fmt;

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// One way down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the n-th element, from 0.
    At(usize),
    /// To this key.
    Key(String),
}

/// A way from the top of a document.
pub type Place = Vec<Way>;

/// The place below, at this key.
pub fn key(above: &[Way], key: &str) -> Place {
    [above, &[Way::Key(key.to_owned())]].concat()
}

/// The place below, at this element.
pub fn at(above: &[Way], index: usize) -> Place {
    [above, &[Way::At(index)]].concat()
}

/// `step 3: under.kill-broker`, from 1.
pub struct Told<'a>(pub &'a [Way]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for way in self.0 {
            match way {
                Way::At(index) => {
                    write!(f, " {}", index + 1)?;
                    before = ": ";
                }
                Way::Key(key) => {
                    write!(f, "{before}{key}")?;
                    before = ".";
                }
            }
        }
        Ok(())
    }
}

/// What stands there.
#[derive(Clone, Copy)]
pub enum Seen<'d> {
    Item(&'d Item),
    Table(&'d Table),
    Value(&'d Value),
}

impl<'d> Seen<'d> {
    /// The top of a document.
    pub fn top(document: &'d DocumentMut) -> Self {
        Self::Table(document.as_table())
    }

    /// What is one way down.
    pub fn below(self, way: &Way) -> Option<Self> {
        match (self, way) {
            (Self::Item(Item::Table(table)) | Self::Table(table), Way::Key(key)) => {
                table.get(key).map(Self::Item)
            }
            (Self::Item(Item::Value(value)) | Self::Value(value), way) => match (value, way) {
                (Value::InlineTable(table), Way::Key(key)) => table.get(key).map(Self::Value),
                (Value::Array(array), Way::At(index)) => array.get(*index).map(Self::Value),
                _ => None,
            },
            (Self::Item(Item::ArrayOfTables(tables)), Way::At(index)) => {
                tables.get(*index).map(Self::Table)
            }
            _ => None,
        }
    }

    /// What is at this key.
    pub fn get(self, key: &str) -> Option<Self> {
        self.below(&Way::Key(key.to_owned()))
    }

    /// What is at a place below.
    pub fn find(self, place: &[Way]) -> Option<Self> {
        place.iter().try_fold(self, Self::below)
    }

    /// All ways down.
    pub fn ways(self) -> Vec<Way> {
        let keys = |keys: Vec<&str>| keys.into_iter().map(|key| Way::Key(key.to_owned())).collect();
        match self {
            Self::Item(Item::Table(table)) | Self::Table(table) => {
                keys(table.iter().map(|(key, _)| key).collect())
            }
            Self::Item(Item::ArrayOfTables(tables)) => (0..tables.len()).map(Way::At).collect(),
            Self::Item(Item::Value(value)) | Self::Value(value) => match value {
                Value::InlineTable(table) => keys(table.iter().map(|(key, _)| key).collect()),
                Value::Array(array) => (0..array.len()).map(Way::At).collect(),
                _ => Vec::new(),
            },
            Self::Item(Item::None) => Vec::new(),
        }
    }

    fn value(self) -> Option<&'d Value> {
        match self {
            Self::Item(item) => item.as_value(),
            Self::Value(value) => Some(value),
            Self::Table(_) => None,
        }
    }

    /// A whole number.
    pub fn number(self) -> Option<i64> {
        self.value()?.as_integer()
    }

    /// A text.
    pub fn text(self) -> Option<&'d str> {
        self.value()?.as_str()
    }

    /// All places below, itself among them, and what stands there.
    pub fn all(self, place: &[Way]) -> Vec<(Place, Self)> {
        let mut all = vec![(place.to_vec(), self)];
        for way in self.ways() {
            if let Some(below) = self.below(&way) {
                all.extend(below.all(&[place, &[way]].concat()));
            }
        }
        all
    }
}

/// What stands there, to be changed.
pub enum Changed<'d> {
    Table(&'d mut Table),
    Tables(&'d mut toml_edit::ArrayOfTables),
    Inline(&'d mut InlineTable),
    Array(&'d mut toml_edit::Array),
    Leaf(&'d mut Value),
}

impl<'d> Changed<'d> {
    fn item(item: &'d mut Item) -> Option<Self> {
        match item {
            Item::Table(table) => Some(Self::Table(table)),
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
            Item::Value(value) => Some(Self::value(value)),
            Item::None => None,
        }
    }

    fn value(value: &'d mut Value) -> Self {
        match value {
            Value::InlineTable(table) => Self::Inline(table),
            Value::Array(array) => Self::Array(array),
            leaf => Self::Leaf(leaf),
        }
    }

    /// What is at a place of a document.
    pub fn find(document: &'d mut DocumentMut, place: &[Way]) -> Option<Self> {
        place.iter().try_fold(Self::Table(document.as_table_mut()), |above, way| {
            match (above, way) {
                (Self::Table(table), Way::Key(key)) => Self::item(table.get_mut(key)?),
                (Self::Inline(table), Way::Key(key)) => Some(Self::value(table.get_mut(key)?)),
                (Self::Tables(tables), Way::At(index)) => {
                    Some(Self::Table(tables.get_mut(*index)?))
                }
                (Self::Array(array), Way::At(index)) => Some(Self::value(array.get_mut(*index)?)),
                _ => None,
            }
        })
    }

    /// Takes away what is one way down; whether there was something.
    pub fn remove(self, way: &Way) -> bool {
        match (self, way) {
            (Self::Table(table), Way::Key(key)) => table.remove(key).is_some(),
            (Self::Inline(table), Way::Key(key)) => table.remove(key).is_some(),
            (Self::Tables(tables), Way::At(index)) if *index < tables.len() => {
                tables.remove(*index);
                true
            }
            (Self::Array(array), Way::At(index)) if *index < array.len() => {
                array.remove(*index);
                true
            }
            _ => false,
        }
    }
}
