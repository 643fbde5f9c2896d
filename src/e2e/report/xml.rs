//! Elements of XML, written indented.

use std::fmt::{self, Display};

use crate::process::clean;

/// An element with other elements inside, or with a text, or with neither.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    /// ` name="value"` for each, escaped.
    attributes: String,
    text: Option<String>,
    children: Vec<Element>,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: String::new(), text: None, children: Vec::new() }
    }

    pub(super) fn attribute(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.push_str(&format!(" {name}=\"{}\"", escaped(&value.to_string())));
        self
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.text = Some(escaped(text));
        self
    }

    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let Self { name, attributes, text, children } = self;
        let indent = 4 * depth;
        write!(f, "{:indent$}<{name}{attributes}", "")?;
        if let Some(text) = text {
            return writeln!(f, ">{text}</{name}>");
        }
        if children.is_empty() {
            return writeln!(f, "/>");
        }
        writeln!(f, ">")?;
        children.iter().try_for_each(|child| child.write(f, depth + 1))?;
        writeln!(f, "{:indent$}</{name}>", "")
    }
}

/// The document of which it is the root.
impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        self.write(f, 0)
    }
}

/// Without what XML cannot hold, escaped or not, and what a terminal would obey.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        for c in clean(line).chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '\'' => out.push_str("&apos;"),
                '"' => out.push_str("&quot;"),
                '\u{fffe}' | '\u{ffff}' => {}
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_an_element_or_breaks_the_document() {
        let element = Element::new("a").attribute("b", "\"'<&>\u{0}\u{ffff}\u{1b}[31m\tx");
        assert_eq!(
            element.children([Element::new("c").text("</c>\r\n]]>")]).to_string(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <a b=\"&quot;&apos;&lt;&amp;&gt; x\">\n    <c>&lt;/c&gt;\n]]&gt;</c>\n</a>\n"
        );
    }
}
