//! What clients see of the services' account.

/// Where somebody answers that the server is the one that is meant.
pub(super) const SERVER_IDENTITY: &str = "services.serve.*";

/// What clients see of the services' account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// What is asked and answered once, by a service or a stream.
    pub services: Vec<String>,
    /// What is asked and answered by however many there are.
    pub surveys: Vec<String>,
    /// What clients may listen to. They cannot publish there, not even for themselves.
    pub events: Vec<String>,
}

impl Default for Shared {
    fn default() -> Self {
        let owned = |subjects: &[&str]| subjects.iter().map(|&s| s.to_owned()).collect();
        Shared {
            services: owned(&[
                "services.math.calculate",
                "services.notification.email-send",
                "services.payment.payment-process",
                "services.payment.status",
                SERVER_IDENTITY,
            ]),
            surveys: owned(&["$SRV.>"]),
            events: owned(&["payments.events.*", "services.notification.email-rejected"]),
        }
    }
}
