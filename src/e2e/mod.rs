//! Scenarios: text → scenario → record → verdict → driver → run → report → session, one way.
//!
//! | room | idea |
//! | --- | --- |
//! | [`text`] | patterns over JSON, templates, names, mistakes with a caret: no room below it |
//! | [`scenario`] | TOML to a scenario that makes sense, or every mistake with its place; suites; no I/O |
//! | [`record`] | what happened in a run, as plain data on one clock |
//! | [`verdict`] | what that proves: promises, checks, golden files; pure, from the record alone |
//! | [`driver`] | clients under test: in process, or programs that speak JSON lines |
//! | [`run`] | one scenario with one client: broker, services, driver, steps, what is read from the broker |
//! | [`report`] | what is told, and to whom: each report sees events and never a run |
//! | [`session`] | which scenarios are run, side by side, again, kept, reviewed |
//!
//! A room imports only those above it; `tests/architecture.rs` holds that, and that no two files import
//! each other. Modules, clients and programs come as values ([`session::Settings`]); nothing here starts one by name.

pub mod driver;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod session;
pub mod text;
pub mod verdict;
