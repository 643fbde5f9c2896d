//! Rows and includes, written out before anything else is read: the reader sees a scenario as if
//! everything had been written in its place, with the places where it was written.
//!
//! A text that is included is parsed behind as many line feeds as there are bytes before it in the
//! [`Source`], so that its spans are places there, and nobody has to move them.
//!
//! | file | idea |
//! | --- | --- |
//! | `gather` | reads the files that are included |
//! | `rows` | one document a row |
//! | `include` | steps in the place of their include |
//! | `written` | all of it |
//! | `fill`, `names` | values in the place of their names |

pub(crate) mod fill;
pub(crate) mod gather;
pub(crate) mod include;
pub(crate) mod names;
pub(crate) mod rows;
pub(crate) mod written;
