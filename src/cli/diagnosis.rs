//! What `doctor` finds.

/// One finding; `ok` is true where nothing has to be done.
pub(super) struct Diagnosis {
    pub(super) name: &'static str,
    pub(super) ok: bool,
    pub(super) text: String,
    pub(super) detail: serde_json::Value,
}

/// Aligns further lines below the first, after the finding's name.
pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n                 ")
}

impl Diagnosis {
    /// For people; what is missing and can be done without is not there all the same.
    pub(super) fn mark(&self) -> &'static str {
        match (self.ok, self.detail["left_out"] == true) {
            (true, false) => "ok",
            (true, true) => "no",
            (false, _) => "--",
        }
    }

    /// As a member of the printed object.
    pub(super) fn object(self) -> (String, serde_json::Value) {
        let mut detail = self.detail;
        detail["ok"] = self.ok.into();
        (self.name.to_owned(), detail)
    }
}
