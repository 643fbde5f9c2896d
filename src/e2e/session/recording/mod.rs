//! `e2e record`: what happens on a running system becomes a scenario.
//!
//! | file | idea |
//! | --- | --- |
//! | `subjects` | what is listened to, and what is not |
//! | `listen`, `gathering`, `heard` | listening; what belongs together; what was heard |
//! | `origin` | what a client has sent, and what came because of it |
//! | `leaves`, `known` | values that the scenario sends itself, or keeps from a reply for later |
//! | `parts` | the order of steps |
//! | `sent`, `expected`, `steps`, `streams` | messages, expectations, steps and streams as a fixture has them |
//! | `fixture` | the whole, without secrets |

#[cfg(test)]
mod example;
pub(crate) mod expected;
pub(crate) mod fixture;
pub(crate) mod gathering;
pub(crate) mod heard;
pub(crate) mod known;
pub(crate) mod leaves;
pub(crate) mod listen;
pub(crate) mod origin;
pub(crate) mod parts;
pub(crate) mod sent;
pub(crate) mod steps;
pub(crate) mod streams;
pub(crate) mod subjects;

pub use fixture::{Style, Written, write};
pub use heard::{End, Recording};
pub use listen::{ListenError, Listening};
pub use subjects::{Asked, AskedError};
