//! Runs the sections of `mono-demo bench` with the release build, and writes what they found into
//! `docs/benchmarks.md` and its chart.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const PAGE: &str = "docs/benchmarks.md";
const CHART: &str = "docs/benchmarks.svg";

/// Builds, unless a program is given, measures and writes.
pub fn run(program: Option<&Path>, flags: &[&str]) -> Result<(), String> {
    if program.is_none() {
        let built = crate::cargo(&["build", "--release", "--bin", "mono-demo"]).status();
        if !built.map_err(|e| format!("start cargo: {e}"))?.success() {
            return Err("it does not build".to_owned());
        }
    }
    let program = program.map_or_else(|| crate::binary("release"), Path::to_owned);
    let load = load();
    let mut sections = Vec::new();
    let mut head = Value::Null;
    for args in [&[][..], &["payments", "--sync", "always"]] {
        let mut bench = crate::at_root(&program);
        let output = bench
            .args(["bench", "--json"])
            .args(args)
            .args(flags)
            .stderr(std::process::Stdio::inherit());
        let output = output.output().map_err(|e| format!("start {bench:?}: {e}"))?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("{bench:?}: {}: {e}", output.status))?;
        if report["ok"] != true {
            return Err(format!("{bench:?}: {}", report["bench"]["problems"]));
        }
        let mut found = report["bench"]["sections"].as_array().cloned().unwrap_or_default();
        if args.contains(&"always") {
            found.iter_mut().for_each(|section| section["name"] = "payments, synced".into());
        }
        sections.extend(found);
        head = report["bench"].clone();
        head["load"] = load.clone().into();
    }
    let write = |path: &str, text: String| {
        std::fs::write(crate::root().join(path), text).map_err(|e| format!("write {path}: {e}"))
    };
    write(CHART, chart(&sections))?;
    write(PAGE, page(&head, &sections))
}

/// The page: the machine, then a table a section.
fn page(head: &Value, sections: &[Value]) -> String {
    let text = |name: &str| head[name].as_str().unwrap_or("unknown").to_owned();
    let mut page = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`; [commands.md](commands.md#bench) says what each section does. \
         mono-demo {}, nats-server {}, {}, {} cores, {}, {}; {}; medians of {} rounds{} after one that warms up, \
         in brackets the least and the greatest. Read the ratios: each is of figures of the same round. \
         Other machines, and other minutes, have other figures.\n\n\
         ![Rates, as a part of their floors](benchmarks.svg)\n",
        text("mono_demo"),
        text("nats_server"),
        machine(),
        head["cores"],
        said("uname", &["-sr"]),
        said("date", &["-u", "+%Y-%m-%d"]),
        head["load"].as_str().unwrap_or("load unknown"),
        head["rounds"],
        if head["quick"] == true { " of `--quick`" } else { "" },
    );
    for section in sections {
        let _ = write!(
            page,
            "\n## {}\n\n| what | figure | floor | ratio |\n| --- | --- | --- | --- |\n",
            section["name"].as_str().unwrap_or_default()
        );
        let mut timed: Vec<&str> = Vec::new();
        for row in section["rows"].as_array().into_iter().flatten() {
            let unit = row["unit"].as_str().unwrap_or_default();
            let shown = |figure: &Value| spread(figure, |number| with_unit(number, unit));
            let floor = row["floor"]["name"].as_str().map_or(String::new(), |name| {
                format!("{name}: {}", shown(&row["floor"]["figure"]))
            });
            let ratio = match row["ratio"].is_null() {
                true => String::new(),
                false => spread(&row["ratio"], |ratio| format!("{ratio:.2}")),
            };
            let lost = match row["lost"].as_u64() {
                Some(lost) if lost > 0 => format!(", {lost} lost"),
                _ => String::new(),
            };
            let (what, figure) = (row["what"].as_str().unwrap_or_default(), shown(&row["figure"]));
            let _ = writeln!(page, "| {what} | {figure}{lost} | {floor} | {ratio} |");
            let sentence = row["timed"].as_str().unwrap_or_default();
            if !timed.contains(&sentence) {
                timed.push(sentence);
            }
        }
        let _ = writeln!(page, "\nTimed: {}.", timed.join("; "));
    }
    page
}

fn spread(figure: &Value, shown: impl Fn(f64) -> String) -> String {
    let number = |name: &str| shown(figure[name].as_f64().unwrap_or(f64::NAN));
    format!("{} ({} to {})", number("median"), number("low"), number("high"))
}

/// Three digits: more are chance.
fn with_unit(number: f64, unit: &str) -> String {
    let digits = match number.abs() {
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        _ => 2,
    };
    let step = 10_f64.powf(number.abs().max(1.0).log10().floor() - 2.0);
    let number = (number / step).round() * step;
    match unit {
        "/s" => format!("{number:.digits$}/s"),
        unit => format!("{number:.digits$} {unit}"),
    }
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    name.unwrap_or("an unknown processor").to_owned()
}

/// What else the machine did when it began.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown");
    format!("load {load} when it began (0 is a machine that does nothing else)")
}

/// What a program prints, in one line.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}

/// A bar for each rate: its median as a part of its floor, and from the least to the greatest.
fn chart(sections: &[Value]) -> String {
    const LINE: usize = 22;
    const LEFT: f64 = 330.0;
    const WHOLE: f64 = 360.0;
    let mut bars = String::new();
    let mut lines = 1;
    for section in sections {
        let name = section["name"].as_str().unwrap_or_default();
        for row in section["rows"].as_array().into_iter().flatten() {
            let [median, low, high] =
                ["median", "low", "high"].map(|name| row["ratio"][name].as_f64());
            let (Some(median), Some(low), Some(high), "/s") =
                (median, low, high, row["unit"].as_str().unwrap_or_default())
            else {
                continue;
            };
            let at = |ratio: f64| LEFT + ratio.min(1.25) * WHOLE;
            let (top, middle) = (lines * LINE, lines * LINE + 7);
            let what = format!("{name}: {}", row["what"].as_str().unwrap_or_default());
            let what = what.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(
                bars,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{what}</text>\
                 <rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"14\" fill=\"#4a7ebb\"/>\
                 <path d=\"M{:.1} {middle}H{:.1}\" stroke=\"#222\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{median:.2}</text>",
                LEFT - 8.0,
                top + 11,
                median.min(1.25) * WHOLE,
                at(low),
                at(high),
                at(high.max(median)) + 6.0,
                top + 11,
            );
            lines += 1;
        }
    }
    let height = lines * LINE + 10;
    let one = LEFT + WHOLE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\
         <rect width=\"860\" height=\"{height}\" fill=\"#fff\"/>\n\
         <path d=\"M{one} 14V{height}\" stroke=\"#999\" stroke-dasharray=\"3\"/>\
         <text x=\"{one}\" y=\"12\" text-anchor=\"middle\">the floor</text>\n{bars}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Value> {
        let spread = |median: f64| serde_json::json!({ "median": median, "low": 0.5, "high": 2.0 });
        vec![serde_json::json!({ "name": "emails", "rows": [
            { "what": "a <row>", "timed": "all of it", "unit": "/s", "figure": spread(123_456.0),
              "floor": { "name": "a peer", "figure": spread(9.876) }, "ratio": spread(0.75), "lost": 2 },
            { "what": "b", "timed": "all of it", "unit": "%", "figure": spread(12.34), "floor": null,
              "ratio": null, "lost": 0 },
        ] })]
    }

    #[test]
    fn a_page_has_a_row_for_each_figure_and_says_once_what_is_timed() {
        let page = page(&serde_json::json!({ "rounds": 5 }), &sections());
        assert!(page.contains("medians of 5 rounds"), "{page}");
        let row = "| a <row> | 123000/s (0.50/s to 2.00/s), 2 lost | a peer: 9.88/s (0.50/s to 2.00/s) \
                   | 0.75 (0.50 to 2.00) |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| b | 12.3 % (0.50 % to 2.00 %) |  |  |"), "{page}");
        assert!(page.ends_with("\nTimed: all of it.\n"), "{page}");
    }

    #[test]
    fn a_chart_has_a_bar_for_each_rate() {
        let chart = chart(&sections());
        assert_eq!(chart.matches("height=\"14\"").count(), 1, "{chart}");
        assert!(chart.contains("emails: a &lt;row>") && chart.contains(">0.75<"), "{chart}");
    }
}
