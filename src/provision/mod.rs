//! Finds or installs nats-server and the Python environment; returns checked paths and where they
//! came from.
//!
//! Installing is done once, under a lock, by `pip` with pinned hashes, into the user's cache folder;
//! a run that is interrupted at any time leaves nothing that a later run would take for whole.
//!
//! | file | idea |
//! | --- | --- |
//! | `server` | the finding order, and the check of `--version` |
//! | `checked` | servers whose version is known already |
//! | `managed` | the managed copy of nats-server: install it once, check it before each use |
//! | `python` | the interpreter to build from, and its pip |
//! | `env` | the Python environment: build it once, find it again without running Python |
//! | `cache` | the cache folder: its lock, its staging folders, its manifests |

mod cache;
mod checked;
mod env;
mod error;
mod managed;
mod python;
mod server;
mod settings;
mod version;

pub use env::{PythonEnv, find_python_env, python_env};
pub use error::ProvisionError;
pub use managed::MANAGED_VERSION;
pub use server::{Found, NatsServer, Source, find_nats_server, nats_server};
pub use settings::{Progress, Settings};
pub use version::{NotAVersion, Version};
