//! Futures of traits that are used as objects.

use std::future::Future;
use std::pin::Pin;

/// A future that can be stored: what dyn-safe async methods return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
