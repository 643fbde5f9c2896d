//! The module: one request-reply service.

use serde::Deserialize;

use super::service::calculate;
use super::types::Request;
use crate::modules::bounded;
use crate::mono::{Call, Module, Object, ServiceError, Services};

/// Settings of the module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Workers in this process, 1 to 256; default 1.
    #[serde(deserialize_with = "bounded::workers")]
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { workers: 1 }
    }
}

/// `services.math.*`.
pub struct MathModule {
    settings: Settings,
}

impl MathModule {
    /// The module with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Module for MathModule {
    fn name(&self) -> &str {
        "math"
    }

    fn register(&self, services: &mut Services) {
        services
            .request_reply("calculate", |Object(request): Object<Request>, _: Call| async move {
                calculate(&request).map_err(ServiceError::bad_request)
            })
            .workers(self.settings.workers);
    }
}
