//! The web side of a program under test: plain HTTP/1.1, one question a connection, and an answer that
//! has an end.
//!
//! | | |
//! | --- | --- |
//! | `page` | where a page is |
//! | `answer` | what it says, read to its end |
//! | `question` | asks it once |
//! | `ready` | asks it until it says that the program is ready |

mod answer;
mod page;
mod question;
mod ready;

pub use answer::Answer;
pub use page::{NoPage, Page};
pub use question::{Question, ask};
pub use ready::Readiness;
