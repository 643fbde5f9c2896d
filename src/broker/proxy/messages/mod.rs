//! What the connections through a proxy carry: the NATS client protocol, message by message.
//!
//! | file | idea |
//! | --- | --- |
//! | `frames` | where frames begin and end (NATS docs, "Client Protocol") |
//! | `kind` | what a frame is to those who speak: a publish, an acknowledgement, … |
//! | `rule` | what becomes of which messages; how many there were |
//! | `sieve` | one direction of a connection: bytes in, what passes out |
//! | `tap` | hears every message, and may stop all of them at one |

pub(super) mod frames;
pub(super) mod kind;
pub(super) mod rule;
pub(super) mod sieve;
pub(super) mod tap;
