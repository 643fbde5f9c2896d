//! What is known of a run beside what was observed.

/// What is known of a run besides.
pub(in crate::e2e) struct Circumstances<'a> {
    /// Whether the scenario itself publishes to this subject: then how it does so is its own business.
    pub(in crate::e2e) publishes: &'a dyn Fn(&str) -> bool,
    /// Somebody was paused, or a network was slow or broken: what came late says nothing.
    pub(in crate::e2e) was_delayed: bool,
}
