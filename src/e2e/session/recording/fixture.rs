//! A recording as a fixture: what it says of itself, the streams, the steps.

use toml_edit::{ArrayOfTables, DocumentMut, Item, value};

use super::heard::{Content, End, Recording};
use super::known::Known;
use super::origin::{Evidence, Family, Origin, families};
use super::parts::parts;
use super::sent::File;
use super::steps::Writer;
use super::streams;
use super::subjects::Asked;
use crate::counted::counted;
use crate::e2e::scenario::format;
use crate::e2e::text::error::FixtureError;
use crate::e2e::text::secret::Redactor;
use crate::e2e::text::source::Source;
use crate::e2e::text::template;

/// How a fixture is written.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Its first sentence; what was heard, unless it says.
    pub description: Option<String>,
    /// The command that made it, for its first line.
    pub command: String,
    /// Texts that are in no fixture: what the connection itself has shown.
    pub secrets: Vec<String>,
    /// The name that files beside it begin with, where there can be any: then long bodies have files.
    pub files: Option<String>,
}

/// A fixture that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its text, in form.
    pub text: String,
    /// The files beside it, by their names.
    pub files: Vec<File>,
    /// How many steps send something, and how many expect something.
    pub steps: (usize, usize),
    /// What was heard on each subject, and where it seems to come from, a line each.
    pub told: Vec<String>,
    /// Where secrets were left out.
    pub left_out: Vec<String>,
}

/// Writes it.
///
/// # Errors
/// It cannot be brought in form.
pub fn write(recording: &Recording, asked: &Asked, style: &Style) -> Result<Written, FixtureError> {
    let mut redactor = Redactor::knowing(style.secrets.iter().cloned());
    without_secrets(recording.clone(), &mut redactor);
    let mut redactor = redactor.once_more();
    let recording = without_secrets(recording.clone(), &mut redactor);
    let families = families(&recording.messages, asked);
    let mut is_sent = vec![false; recording.messages.len()];
    for family in families.iter().filter(|family| family.origin == Origin::Sent) {
        family.members.iter().for_each(|number| is_sent[*number] = true);
    }
    let known = Known::of(&recording.messages, &|number| is_sent[number]);
    let parts = parts(&recording.messages, &families, &known);
    let writer = Writer::new(&recording, &known, style.files.as_deref());
    let (mut steps, mut files) = (ArrayOfTables::new(), Vec::new());
    for part in &parts {
        let (step, file) = writer.step(part);
        steps.push(step);
        files.extend(file);
    }
    let told: Vec<String> = families.iter().map(told).collect();
    let left_out: Vec<String> = redactor.places().iter().map(place).collect();
    let mut document = DocumentMut::new();
    let description = style.description.clone();
    let description =
        description.unwrap_or_else(|| format!("What happens on {}", asked.subjects.join(", ")));
    document["description"] = value(template::escaped(&description));
    if !recording.streams.is_empty() {
        document["streams"] = streams::tables(&recording.streams);
    }
    document["step"] = Item::ArrayOfTables(steps);
    let head = head(&recording, &style.command, &told, &left_out);
    let text = format!("{head}\n\n{document}");
    let text = format::format(&Source::new("the recording", &text), &[])?;
    let sent = is_sent.iter().filter(|sent| **sent).count();
    Ok(Written { text, files, steps: (sent, parts.len() - sent), told, left_out })
}

/// With placeholders in the place of secrets.
fn without_secrets(mut recording: Recording, redactor: &mut Redactor) -> Recording {
    let content = |of: &str, content: &mut Content, redactor: &mut Redactor| {
        for (name, values) in &mut content.headers {
            for text in values {
                *text = redactor.header(of, name, text);
            }
        }
        content.body = redactor.data(of, std::mem::take(&mut content.body));
    };
    for heard in &mut recording.messages {
        heard.subject = redactor.text("a subject", &heard.subject);
        let subject = heard.subject.clone();
        content(&subject, &mut heard.content, redactor);
        for reply in &mut heard.replies {
            content(&format!("a reply to {subject}"), &mut reply.content, redactor);
        }
    }
    recording
}

/// What was heard on a subject, and why it is sent or expected.
fn told(family: &Family) -> String {
    let Family { subject, members, origin, doubt } = family;
    let count = members.len();
    match (origin, doubt) {
        (Origin::Sent, None) => format!("{subject}: {count} sent"),
        (Origin::Sent, Some((value, other))) => format!(
            "{subject}: {count} sent, though {value} is in {other} too: a worker was done with that before; \
             where it acknowledges first and works afterwards, `--expect '{subject}'`"
        ),
        (Origin::Caused(evidence), _) => {
            let why = match evidence {
                Evidence::Said => "as --expect says".to_owned(),
                Evidence::Republished => "a stream sends on what it has stored".to_owned(),
                Evidence::During(other) => format!("while {other} was worked on"),
                Evidence::Shares(value, other) => format!("{value} is in {other} too"),
            };
            format!("{subject}: {count} expected, {why}")
        }
    }
}

fn place((place, count): &(String, usize)) -> String {
    if *count > 1 { format!("{place} ({count} times)") } else { place.clone() }
}

/// What the fixture says of itself.
fn head(recording: &Recording, command: &str, told: &[String], left_out: &[String]) -> String {
    let mut lines = vec![format!(
        "Recorded by `{command}`: {}{}",
        counted(recording.messages.len(), "message"),
        match recording.end {
            End::Asked => ".".to_owned(),
            End::Enough => "; what came after them was not recorded.".to_owned(),
            End::Full =>
                ", which is as much as is kept; what came after them was not recorded.".to_owned(),
            End::Lost(why) => format!(". Then {why}: what came afterwards was not recorded."),
        }
    )];
    let mut list = |title: &str, items: &[String]| {
        if !items.is_empty() {
            lines.extend([String::new(), title.to_owned()]);
            lines.extend(items.iter().map(|item| format!("  {item}")));
        }
    };
    list(
        "Who sent what is a guess: NATS does not say. `--send SUBJECT` and `--expect SUBJECT` correct it.",
        told,
    );
    list("Left out, with <left-out:N> in their place, as they look like secrets:", left_out);
    list("Not heard:", &recording.unheard);
    let before = recording.streams.iter().filter(|stream| stream.messages > 0);
    let before: Vec<String> = before
        .map(|stream| {
            format!("{} in {}", counted(stream.messages as usize, "message"), stream.name)
        })
        .collect();
    list("There before, and not in this scenario:", &before);
    let settings = recording.streams.iter().map(|stream| (&stream.name, streams::table(stream).1));
    let settings: Vec<String> = settings
        .filter(|(_, left_out)| !left_out.is_empty())
        .map(|(name, left_out)| format!("{} of {name}", left_out.join(", ")))
        .collect();
    list("Settings that a scenario cannot have:", &settings);
    // A comment has no control characters, and whatever is in a subject is in one.
    let plain = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    let comment =
        |line: &String| format!("# {line}").trim_end().chars().map(plain).collect::<String>();
    lines.iter().map(comment).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
