//! Runs every console block of the pages, and compares its output with the page.

mod compare;
mod page;
mod shell;

use std::path::{Path, PathBuf};

use page::{Block, blocks};

/// Why a block of commands is not run here; no other reason counts.
const REASONS: [&str; 3] = [
    "it builds or tests the whole repository",
    "it fetches packages",
    "natscli is a program of others",
];

/// README, CONTRIBUTING and everything in `docs`.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = root.join("docs").read_dir().expect("docs").map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        docs.filter(|path| path.extension() == Some("md".as_ref())).collect();
    paths.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name)));
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_command_of_a_page_prints_what_the_page_says() {
    let pages = pages();
    let runs = |page: &str| {
        let is_run = |block: &Block| matches!(block, Block::Console(_));
        blocks(page).iter().filter(|block| is_run(block)).count()
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let run = pages.iter().filter(|(_, page)| runs(page) > 0).map(|(name, page)| {
            scope.spawn(move || Some(format!("{name}: {}", shell::run(page).err()?)))
        });
        let run: Vec<_> = run.collect();
        run.into_iter().filter_map(|page| page.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(pages.iter().map(|(_, page)| runs(page)).sum::<usize>() > 8);
}

#[test]
fn few_commands_are_not_run_and_each_says_why() {
    let mut left_out = 0;
    for (name, page) in pages() {
        for block in blocks(&page) {
            match block {
                Block::NotRun { line, reason } => {
                    let known = reason.as_deref().is_some_and(|reason| REASONS.contains(&reason));
                    assert!(known, "{name}:{line}: {reason:?} is none of {REASONS:?}");
                    left_out += 1;
                }
                Block::Read { line, text } => {
                    let command = text.iter().find(|line| line.starts_with("$ "));
                    assert_eq!(command, None, "{name}:{line}: commands are `console`");
                }
                Block::Console(_) | Block::File { .. } => {}
            }
        }
    }
    assert!(left_out <= 8, "{left_out} blocks are not run");
}

/// A payment that is on its way for a while.
const SLOW: &str = r#"$ mono-demo serve --gateway 'id = "pay-1", delay = "2s"'
…
Ready: nats://127.0.0.1:4222
$ mono-demo publish -J services.payment.payment-process --data '{"payment_id": "pay-1", "amount": 1}'
stored  stream payment-requests, sequence 1, duplicate false
$ mono-demo audit
0 waiting, 1 claim, 1 completed, 0 failed, 0 without an outcome yet
1 charge in the gateway's journal
consistent"#;

#[test]
fn a_page_that_says_something_else_is_red() {
    let said = |text: &str| shell::run(&format!("# A page\n\n```console\n{text}\n```\n"));
    let serve = "$ mono-demo serve\n…\nReady: nats://127.0.0.1:4222";
    for right in [
        "$ echo one; echo two >&2\none\ntwo\n$ true\n$ cat demo.py | head -n 1\n#!/…python3",
        "$ echo 3.2 s; echo /tmp/mono-demo-abc/x\n0.1 s\n/tmp/mono-demo-XYZ/x",
        SLOW,
        "$ echo one; exit 3  # exit code 3\none\n$ true",
        &format!("{serve}\n$ NATS_URL=nats://127.0.0.1:4222 mono-demo call math add 1 2\n3"),
    ] {
        assert_eq!(said(right), Ok(()), "{right}");
    }
    for (wrong, told) in [
        ("$ echo one\ntwo", "line 4: `echo one`"),
        ("$ true\n$ echo one; echo two\none", "+two"),
        ("$ true\ntwo", "-two"),
        ("$ echo one\n…two", "+one"),
        ("$ true\n$ echo one; exit 1\none", "exit code 1, not 0"),
        ("$ echo one  # exit code 3\none", "exit code 0, not 3"),
        ("$ kill -KILL $$", "a signal, not 0"),
        ("$ echo one 3.2 s\none", "+one <time>"),
        ("$ mono-demo serve --bogus\n…\nReady: …", "+error: unexpected argument"),
        (&format!("{serve}\n$ mono-demo call math add 1 2\n4"), "+3"),
    ] {
        let error = said(wrong).expect_err(wrong);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn the_readme_is_short_and_links_lead_somewhere() {
    let anchor = |title: &str| -> String {
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        title.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for (name, page) in pages() {
        assert!(name != "README.md" || page.lines().count() <= 200, "{name} is for newcomers");
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let file = match path {
                "" => root.join(&name),
                path => root.join(&name).with_file_name("").join(path),
            };
            let text = std::fs::read_to_string(&file)
                .unwrap_or_else(|e| panic!("{name}: the link {link}: {e}"));
            let titles = text.lines().filter_map(|line| line.strip_prefix('#'));
            let mut anchors = titles.map(|title| anchor(title.trim_start_matches('#').trim()));
            assert!(place.is_empty() || anchors.any(|known| known == place), "{name}: {link}");
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
}
