//! What runs for a scenario: started, broken on purpose, stopped.
//!
//! | file | idea |
//! | --- | --- |
//! | `machine` | what it is given: servers, services and clients, and how to get each |
//! | `world`, `scene` | everything that runs; what a step works with |
//! | `brokers` | the broker, or the cluster |
//! | `start` | starts what a fixture asks for: the brokers, and the client's driver |
//! | `networks` | proxies before the servers, for those who are to have a bad network |
//! | `reached` | a fault of a network, and whom it has reached |
//! | `lost_replies` | replies that a fault took away |
//! | `lasting` | a fault that lasts until another one mends it |
//! | `ready` | starts a process of a service, and tells when it is ready |
//! | `replied` | waits until a subject is answered |
//! | `connected` | who is connected as a service |
//! | `refused` | why a service is not ready, where the broker knows |
//! | `services`, `service_process` | the service processes: started, looked after, drained |
//! | `hearing`, `aloud` | what services print: kept for who waits for it, and told while they print it |
//! | `restarts`, `last_words` | how often they were started again, and what they printed at their end |
//! | `standing` | what still stands at its end: looked at, followed, stopped |
//! | `kept` | where histories stay |
//! | `crash` | a service that is killed at one of its messages |
//! | `secrets` | takes the passwords of a run out of what is told about it |
//! | `files` | files of a run |
//! | `stored` | streams and buckets that are there before the services |
//! | `values` | what `{{name}}` stands for in a run |
//! | `harness` | the one connection of the harness itself |

pub(crate) mod aloud;
mod asked;
pub(crate) mod brokers;
pub(crate) mod connected;
pub(crate) mod crash;
pub(crate) mod files;
pub(crate) mod harness;
pub(crate) mod hearing;
pub(crate) mod kept;
mod last_words;
pub(crate) mod lasting;
pub(crate) mod lost_replies;
pub(crate) mod machine;
pub(crate) mod networks;
pub(crate) mod reached;
pub(crate) mod ready;
pub(crate) mod refused;
pub(crate) mod replied;
mod restarts;
pub(crate) mod scene;
pub(crate) mod secrets;
pub(crate) mod service_process;
pub(crate) mod services;
mod sign;
pub(crate) mod standing;
mod start;
pub(crate) mod stored;
pub(crate) mod values;
pub(crate) mod world;
