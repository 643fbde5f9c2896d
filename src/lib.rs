//! `mono-demo`: run, call, break and prove polyglot services over NATS.
//!
//! | feature | modules |
//! | --- | --- |
//! | none | `wire`, and small helpers that all others use: `counted`, `given`, `private`, `seeded`, `tls`, `whole` |
//! | `broker` | `process`, `provision`, `broker` |
//! | `mono` | `mono` |
//! | `schema` | JSON Schemas of what `wire` and `mono` send |
//! | `e2e` | `web` and `e2e`, with all of the above |
//! | `cli`, the default | `modules`, `proof`, `bench`, `control` and `cli`, with all of the above: the program |

#[cfg(feature = "cli")]
pub mod bench;
#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod control;
pub mod counted;
#[cfg(feature = "e2e")]
pub mod e2e;
pub mod given;
#[cfg(feature = "cli")]
pub mod modules;
#[cfg(feature = "mono")]
pub mod mono;
pub mod private;
#[cfg(feature = "broker")]
pub mod process;
#[cfg(feature = "cli")]
pub mod proof;
#[cfg(feature = "broker")]
pub mod provision;
pub mod seeded;
pub mod tls;
#[cfg(feature = "e2e")]
pub mod web;
pub mod whole;
pub mod wire;
