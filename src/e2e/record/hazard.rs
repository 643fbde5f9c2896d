//! Hazards of a run, as they are told.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::e2e::scenario::ast::hazard::HazardKind;

/// One that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    /// Which.
    pub kind: HazardKind,
    /// Where, and what was seen, in one sentence without its end.
    pub seen: String,
}

impl Hazard {
    /// One of this kind.
    pub fn new(kind: HazardKind, seen: String) -> Self {
        Self { kind, seen }
    }
}

/// With what it leads to, the remedy and the manual's page, for whoever reads reports.
impl Serialize for Hazard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let about = self.kind.about();
        let mut told = serializer.serialize_struct("Hazard", 5)?;
        told.serialize_field("name", about.name)?;
        told.serialize_field("seen", &self.seen)?;
        told.serialize_field("leads_to", about.leads_to)?;
        told.serialize_field("remedy", about.remedy)?;
        told.serialize_field("manual", about.manual)?;
        told.end()
    }
}

impl std::fmt::Display for Hazard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.about().name, self.seen)
    }
}
