//! Much at once: the checks, half of the steps, most of the messages.

use toml_edit::DocumentMut;

use super::edit::{Change, Edit};
use super::place::{Place, Seen, Way, at, key};

/// Numbers that say how much is done. All others say what is expected, or how long it may take.
const AMOUNTS: [&str; 10] = [
    "repeat",
    "concurrency",
    "copies",
    "times",
    "nth",
    "every",
    "services",
    "processes",
    "body_size",
    "cluster",
];

/// How a load or a fault says so.
const SHORT: [&str; 2] = ["under", "again"];

/// Edits that take much away, those first that take most.
pub fn coarse(document: &DocumentMut) -> Vec<Edit> {
    let top = Seen::top(document);
    let mut edits: Vec<Edit> = ["check", "teardown"]
        .into_iter()
        .filter(|word| top.get(word).is_some())
        .map(|word| Edit::without(vec![Way::Key(word.to_owned())]))
        .collect();
    for (place, number) in amounts(document) {
        let mut lower = vec![1, number / 100, number / 10, number / 2];
        lower.retain(|lower| (1..number).contains(lower));
        lower.dedup();
        edits.extend(lower.into_iter().map(|lower| lowered(document, &place, number, lower)));
    }
    let steps = top.get("step").map_or(0, |steps| steps.ways().len());
    if steps >= 4 {
        for half in [0..steps / 2, steps / 2..steps] {
            let told = format!("without steps {} to {}", half.start + 1, half.end);
            let step = [Way::Key("step".to_owned())];
            let changes = half.map(|index| Change::Remove(at(&step, index))).collect();
            edits.push(Edit { told, of: step.to_vec(), changes });
        }
    }
    for index in 0..steps {
        let step = at(&[Way::Key("step".to_owned())], index);
        let loads = |word: &&str| top.find(&key(&step, word)).is_some();
        edits.extend(SHORT.into_iter().filter(loads).map(|word| Edit::without(key(&step, word))));
    }
    edits
}

/// Each number that says how much is done, and where it stands.
pub(super) fn amounts(document: &DocumentMut) -> Vec<(Place, i64)> {
    let top = Seen::top(document);
    let within = |word: &str| {
        top.get(word).map(|seen| seen.all(&[Way::Key(word.to_owned())])).unwrap_or_default()
    };
    ["step", "teardown", "processes", "services", "broker"]
        .into_iter()
        .flat_map(within)
        .filter_map(|(place, seen)| {
            let number = seen.number().filter(|number| *number > 1)?;
            let is_amount = match place.as_slice() {
                [.., Way::Key(under), Way::Key(_)] if under == "under" => true,
                [.., Way::Key(last)] => AMOUNTS.contains(&last.as_str()),
                _ => false,
            };
            is_amount.then_some((place, number))
        })
        .collect()
}

/// A number is lowered. Where an expectation is the same number, it is about this one.
pub(super) fn lowered(document: &DocumentMut, place: &[Way], from: i64, to: i64) -> Edit {
    let mut changes = vec![Change::Number(place.to_vec(), to)];
    if matches!(place.last(), Some(Way::Key(last)) if last == "repeat") {
        let top = Seen::top(document);
        let checks = top.get("check").map(|seen| seen.all(&[Way::Key("check".to_owned())]));
        let steps = top.get("step").map(|seen| seen.all(&[Way::Key("step".to_owned())]));
        let counts = |place: &Place| {
            place.iter().any(|way| matches!(way, Way::Key(key) if key == "expect_messages"))
        };
        let steps = steps.into_iter().flatten().filter(|(place, _)| counts(place));
        let expected = checks.into_iter().flatten().chain(steps);
        changes.extend(
            expected
                .filter(|(_, seen)| seen.number() == Some(from))
                .map(|(place, _)| Change::Number(place, to)),
        );
    }
    Edit::to(place, &from.to_string(), &to.to_string(), changes)
}
