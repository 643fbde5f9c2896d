//! A key of a fixture, and what its value looks like.

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A string.
    Text,
    /// Strings.
    Texts,
    /// A string, or several.
    OneOrTexts,
    /// The same; with `repeat` beside it as many as `{{n}}` makes.
    Ids,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// One of these strings, or several of those.
    WordOrNames(&'static [&'static str], &'static [&'static str]),
    /// A whole number from so much up.
    Count(u32),
    /// A JSON pointer.
    Pointer,
    /// A whole number from 0 up for each name.
    Counts,
    /// A whole number from 0 up, or a text with the name of one.
    Revision,
    /// A port: 1 to 65535.
    Port,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Truth,
    /// `"250ms"`, `"5s"`, `"2m"`.
    Duration,
    /// Several of these.
    Durations,
    /// A duration, or a whole number from 1 up.
    Every,
    /// Anything that JSON can say.
    Data,
    /// An array of it.
    Array,
    /// A table of it.
    Object,
    /// Anything, in which strings may be matchers.
    Pattern,
    /// Patterns.
    Patterns,
    /// A name and one text or several.
    Headers,
    /// The kind of an error, or a table about it.
    Error,
    /// A name, or names and JSON pointers.
    Save,
    /// Variables of an environment: a text for each name.
    Variables,
    /// Whether at all, or JSON pointers.
    Golden,
    /// A fault's word.
    Fault,
    /// Faults, with how often each, or a table about it.
    Under,
    /// A table with these keys.
    Table(&'static [Key]),
    /// Tables with these keys.
    Tables(&'static [Key]),
    /// Such a table, or several.
    OneOrTables(&'static [Key]),
    /// Such tables by name.
    Named(&'static [Key]),
    /// Such tables by the name that JetStream has for them.
    Stored(&'static [Key]),
    /// Patterns by name.
    Redactions,
    /// Names, or tables by name, not looked into.
    Services,
    /// Tables that have a name and whatever values.
    Rows,
    /// `[[step]]`, `[[check]]`: their keys go by verb.
    Steps,
    /// As above.
    Checks,
}

/// A key, the form of its value, and what it says.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As in the fixture.
    pub word: &'static str,
    /// Of its value.
    pub form: Form,
    /// One sentence, for editors.
    pub about: &'static str,
}

/// A key.
pub const fn key(word: &'static str, form: Form, about: &'static str) -> Key {
    Key { word, form, about }
}
