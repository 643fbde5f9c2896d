//! Little at once: a step, a fault, a key, one less.

use toml_edit::DocumentMut;

use super::coarse::{amounts, lowered};
use super::edit::{Change, Edit};
use super::place::{Place, Seen, Way, at, key};

/// What stands beside a verb and says neither what is done nor when that is too late.
const BESIDE: [&str; 15] = [
    "again",
    "concurrency",
    "copies",
    "rate",
    "client_dies",
    "repeat",
    "save",
    "reply",
    "reply_headers",
    "ack",
    "match",
    "golden",
    "headers",
    "stdout",
    "stderr",
];

/// What stands at the top and is no step. Promises stay: they are what fails.
const TOP: [&str; 10] = [
    "tags",
    "redact",
    "processes",
    "services",
    "broker",
    "proxy",
    "streams",
    "kv",
    "objects",
    "explore",
];

/// A fault, and what is the same but milder.
const MILDER: [(&str, &str); 7] = [
    ("kill-services", "kill-service"),
    ("kill-service", "restart-service"),
    ("restart-services", "restart-service"),
    ("stop-services", "stop-service"),
    ("pause-services", "pause-service"),
    ("kill-broker", "restart-broker"),
    ("kill-leader", "stop-leader"),
];

/// Edits of which none can be divided. Where none of them can be done, the fixture is as small as it
/// gets.
pub fn fine(document: &DocumentMut) -> Vec<Edit> {
    let top = Seen::top(document);
    let mut edits = Vec::new();
    for word in ["step", "teardown", "check"] {
        let tables = top.get(word).map_or(0, |tables| tables.ways().len());
        for index in (0..tables).rev() {
            let place = at(&[Way::Key(word.to_owned())], index);
            edits.push(Edit::without(place.clone()));
            if word != "check" {
                edits.extend(top.find(&place).into_iter().flat_map(|step| of_step(&place, step)));
            }
        }
    }
    for word in TOP {
        let Some(seen) = top.get(word) else { continue };
        let place = [Way::Key(word.to_owned())];
        let all = seen.all(&place).into_iter();
        edits.extend(all.map(|(place, _)| Edit::without(place)));
    }
    for (place, number) in amounts(document) {
        let mut lower = vec![number / 2, number * 3 / 4, number - 1];
        lower.retain(|lower| (1..number).contains(lower));
        lower.dedup();
        edits.extend(lower.into_iter().map(|lower| lowered(document, &place, number, lower)));
    }
    edits
}

fn of_step(place: &[Way], step: Seen<'_>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = BESIDE
        .into_iter()
        .filter(|word| step.get(word).is_some())
        .map(|word| Edit::without(key(place, word)))
        .collect();
    for word in ["body", "kwargs", "headers", "under"] {
        let inside = key(place, word);
        let all = step.get(word).map(|seen| seen.all(&inside)).unwrap_or_default();
        // What it is itself, is more than a part of it.
        edits.extend(all.into_iter().skip(1).map(|(place, _)| Edit::without(place)));
    }
    if let Some(text) = step.get("text").and_then(Seen::text).filter(|text| text.len() > 1) {
        let half: String = text.chars().take(text.chars().count() / 2).collect();
        let place = key(place, "text");
        let told = |text: &str| format!("{} bytes", text.len());
        let changes = vec![Change::Text(place.clone(), half.clone())];
        edits.push(Edit::to(&place, &told(text), &told(&half), changes));
    }
    edits.extend(milder(place, step));
    if step.get("fault").is_some() && matches!(place.last(), Some(Way::At(1..))) {
        let changes = vec![Change::Earlier(place.to_vec())];
        edits.push(Edit::to(place, "where it was", "a step earlier", changes));
    }
    edits
}

/// The same with a fault that breaks less, or for a shorter time.
fn milder(place: &[Way], step: Seen<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mild = |word: &str| MILDER.iter().find(|(from, _)| *from == word).map(|(_, to)| *to);
    let fault = key(place, "fault");
    let word = step.get("fault").and_then(Seen::text);
    if let Some((from, to)) = word.and_then(|word| Some((word, mild(word)?))) {
        edits.push(Edit::to(&fault, from, to, vec![Change::Text(fault.clone(), to.to_owned())]));
    }
    let under = key(place, "under");
    for way in step.get("under").map(Seen::ways).unwrap_or_default() {
        let Way::Key(from) = &way else { continue };
        if let Some(to) = mild(from) {
            let place: Place = [&under[..], std::slice::from_ref(&way)].concat();
            let changes = vec![Change::Rename(place.clone(), to.to_owned())];
            edits.push(Edit::to(&under, from, to, changes));
        }
    }
    let all = step.all(place).into_iter();
    edits.extend(all.filter_map(|(place, seen)| {
        let is_time =
            matches!(place.last(), Some(Way::Key(last)) if last == "for" || last == "latency");
        let from = seen.text().filter(|_| is_time)?;
        let to = halved(from)?;
        Some(Edit::to(&place, from, &to, vec![Change::Text(place.clone(), to.clone())]))
    }));
    edits
}

/// `5s` is `2500ms`; nothing below 100 ms.
fn halved(time: &str) -> Option<String> {
    let unit = time.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = time[..unit].parse().ok()?;
    let millis = match &time[unit..] {
        "ms" => number,
        "s" => number.checked_mul(1000)?,
        "m" => number.checked_mul(60_000)?,
        _ => return None,
    };
    (millis / 2 >= 100).then(|| format!("{}ms", millis / 2))
}
