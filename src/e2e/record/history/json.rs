//! JSON that is kept unchanged: the oracle that knows its shape reads it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A value whose shape only its reader knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// A value as JSON.
    ///
    /// # Errors
    /// A value that JSON cannot carry, as a map whose keys are no text.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// The value.
    ///
    /// # Errors
    /// It is of another shape; the column counts from its own beginning.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

/// As they are written.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
