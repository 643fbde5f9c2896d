//! Finds or installs nats-server, the Python environment and the clients in other languages; returns
//! checked paths and where they came from.
//!
//! Installing is done once, under a lock, by `pip` with pinned hashes, into the user's cache folder;
//! a run that is interrupted at any time leaves nothing that a later run would take for whole.
//!
//! | file | idea |
//! | --- | --- |
//! | `server` | the finding order |
//! | `asked` | the check of `--version` |
//! | `source` | where a program comes from |
//! | `beside` | what a package brought with this program: a server, a Python, wheels |
//! | `checked` | servers whose version is known already |
//! | `pinned` | the versions of nats-server that can be installed, with their hashes |
//! | `managed` | managed copies of nats-server: install each once, check it before each use |
//! | `python` | the interpreter to build from, and its pip |
//! | `env` | the Python environment: build it once, find it again without running Python |
//! | `node`, `go` | the clients in those languages: made once from their sources, where the tools are |
//! | `prepared` | a folder made of our own files: found again by their hash |
//! | `step` | one command of an installation |
//! | `cache` | the cache folder: its lock, its staging folders, its manifests |

mod asked;
mod beside;
mod cache;
mod checked;
mod env;
mod error;
mod go;
mod health;
mod managed;
mod node;
mod pinned;
mod prepared;
mod python;
mod server;
mod settings;
mod source;
mod step;
mod version;

pub use asked::NatsServer;
pub use env::{PythonEnv, find_python_env, python_env};
pub use error::{ANOTHER_CACHE, ProvisionError};
pub use go::{GoClient, find_go_client, go_client};
pub use health::{python_env_runs, server_runs};
pub use node::{NodeClient, find_node_client, node_client};
pub use pinned::{MANAGED_VERSION, NotPinned, Pinned};
pub use prepared::{Sources, unpacked};
pub use python::{Interpreter, Makes, find_python};
pub use server::{Found, find_nats_server, nats_server, nats_server_of};
pub use settings::{Progress, Settings};
pub use source::Source;
pub use version::{NotAVersion, Version};
