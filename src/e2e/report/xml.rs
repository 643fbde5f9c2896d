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

    /// Another's parser, that of CI systems written in Python, says what it has read.
    #[test]
    fn every_text_is_well_formed_and_what_xml_can_hold_is_read_again() {
        // A line each: what a terminal takes for the beginning of a command ends with its line.
        let every: String = ('\0'..=char::MAX).map(|c| format!("<{c}>\n")).collect();
        let element = Element::new("a")
            .children([Element::new("b").attribute("c", &every), Element::new("d").text(&every)]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.xml");
        std::fs::write(&path, element.to_string()).unwrap();
        let expat = "import sys, xml.etree.ElementTree as tree\n\
                     root = tree.parse(sys.argv[1]).getroot()\n\
                     attribute = root.find('b').get('c').replace(' ', '\\n')\n\
                     open(sys.argv[1], 'w', newline='').write(root.find('d').text)\n\
                     print(len(attribute.split('\\n')))\n";
        let mut python = std::process::Command::new("python3");
        let output = python.args(["-X", "utf8", "-c", expat]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = std::fs::read_to_string(&path).unwrap();
        let shown: String = every.split_inclusive('\n').map(|line| clean(line) + "\n").collect();
        let held = |c: char| !matches!(c, '\u{fffe}' | '\u{ffff}');
        assert!(read == shown.chars().filter(|c| held(*c)).collect::<String>());
        // Each line feed, and the two spaces of tab and space.
        let attribute = every.matches('\n').count() + 3;
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{attribute}\n"));
    }
}
