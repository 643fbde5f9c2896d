//! `mono-demo`: run, call, break and prove polyglot services over NATS.

pub mod broker;

pub mod cli;
pub mod counted;
pub mod e2e;
pub mod given;
pub mod modules;
pub mod mono;
pub mod private;
pub mod process;
pub mod proof;
pub mod provision;
pub mod tls;
pub mod whole;
pub mod wire;
