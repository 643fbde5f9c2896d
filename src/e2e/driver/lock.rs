//! A lock for what stays in order whoever panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Never poisoned: each change under it is whole.
pub(in crate::e2e) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
