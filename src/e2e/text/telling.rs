//! The line of a log that says why a program ended.

/// The last line that says something. What runtimes print after the error (frames, fields of the
/// error, banners, advice, how a program is called) is passed over: a log of Node ends with Node's version, one of Go with
/// `exit status 2`. The last line itself where nothing else is left.
pub(in crate::e2e) fn telling_line(log: &[String]) -> Option<&str> {
    let mut below = "";
    for (at, line) in log.iter().enumerate().rev() {
        if !is_beside_the_point(line, below) {
            return Some(of_its_fields(line, &log[at + 1..]).unwrap_or(line));
        }
        below = line;
    }
    log.iter().map(String::as_str).rfind(|line| !line.trim().is_empty())
}

/// How lines begin that say how a program is to be called.
const OF_A_USAGE: [&str; 13] = [
    "usage",
    "pass --help",
    "try '",
    "try \"",
    "try `",
    "use \"",
    "for more information",
    "flags:",
    "global flags:",
    "options:",
    "commands:",
    "available commands:",
    "arguments:",
];

/// Of an error of Node that has a name and no words: the field below it that says most.
fn of_its_fields<'a>(line: &str, below: &'a [String]) -> Option<&'a str> {
    let name = line.trim_end().trim_end_matches(':');
    if !name.ends_with("Error") || name.contains(char::is_whitespace) {
        return None;
    }
    let field =
        |name: &str| below.iter().map(|line| line.trim()).find(|line| line.starts_with(name));
    ["message:", "reason:", "description:", "code:"].into_iter().find_map(field)
}

/// `below` is the line that follows.
fn is_beside_the_point(line: &str, below: &str) -> bool {
    let begins = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    line.trim().is_empty()
        // Frames and fields are indented; a brace closes the fields.
        || begins(&[" ", "\t", "}", "]"])
        // Node: a banner, and the modules that wanted one that is missing.
        || begins(&["Node.js v", "Require stack:", "- "])
        // Go: the function above its indented place, and whose stack it is.
        || (below.starts_with(['\t', ' ']) && line.ends_with(')') && !line.contains(' '))
        || begins(&["goroutine ", "created by ", "exit status ", "[signal "])
        // Rust.
        || begins(&["note: ", "stack backtrace:"])
        // What is left out between both ends of a log.
        || line.starts_with('…')
        || is_of_a_usage(line)
}

fn is_of_a_usage(line: &str) -> bool {
    let line = line.to_lowercase();
    OF_A_USAGE.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::telling_line;

    fn telling(log: &str) -> Option<String> {
        let lines: Vec<String> = log.lines().map(str::to_owned).collect();
        telling_line(&lines).map(str::to_owned)
    }

    #[test]
    fn the_error_is_found_above_what_each_runtime_prints_after_it() {
        for (log, line) in [
            (
                "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find module 'nats'\n\
                 Require stack:\n- /s/shop.js\n    at Module._load (node:internal:1)\n    at f {\n  \
                 code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/s/shop.js' ]\n}\n\nNode.js v20.11.0",
                "Error: Cannot find module 'nats'",
            ),
            (
                "/s/shop.js:3\nthrow new TypeError(\"no licence\")\n^\n\nTypeError: no licence\n    at a (/s:1)\n\n\
                 Node.js v22.1.0\n",
                "TypeError: no licence",
            ),
            (
                "up\npanic: no licence\n\ngoroutine 1 [running]:\nmain.main()\n\t/s/main.go:4 +0x18\nexit status 2",
                "panic: no licence",
            ),
            (
                "thread 'main' panicked at src/main.rs:2:5:\nno licence\n\
                 note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
                "no licence",
            ),
            (
                "Traceback (most recent call last):\n  File \"shop.py\", line 1, in <module>\n    f()\n\
                 ValueError: no licence",
                "ValueError: no licence",
            ),
            (
                "Exception in thread \"main\" shop.Bad: no licence\n\tat shop.Main.main(Main.java:3)\n",
                "Exception in thread \"main\" shop.Bad: no licence",
            ),
            (
                "flag provided but not defined: -x\nUsage of ./w:\n  -addr string\n    \tthe address",
                "flag provided but not defined: -x",
            ),
            (
                "error: unknown argument '-x'\n\nUsage: w [OPTIONS]\n\nFor more information, try '--help'.",
                "error: unknown argument '-x'",
            ),
            (
                "w: error: stat ./nothere.sh: no such file\nusage: w [<flags>]\n\nFlags:\n  --help  Shows help\n\n\
                 Pass --help to see global flags",
                "w: error: stat ./nothere.sh: no such file",
            ),
            (
                "panic: no licence\n\ngoroutine 1 [running]:\nmain.f(...)\n /s/main.go:5\nmain.main()\n /s/main.go:6",
                "panic: no licence",
            ),
            (
                "file:///s/a.mjs:2\nthrow e\n\nError: \n    at f (a:1) {\n  code: 'DENIED',\n  reason: 'not allowed'\n}\n\nNode.js v20.1.0",
                "reason: 'not allowed'",
            ),
            ("TypeError\n    at f (a:1)\n", "TypeError"),
            ("usage: w [-h]\nw: error: no licence", "w: error: no licence"),
            ("up\nno licence", "no licence"),
            ("  at the end", "  at the end"),
        ] {
            assert_eq!(telling(log).as_deref(), Some(line), "{log}");
        }
        assert_eq!(telling(""), None);
        assert_eq!(telling("\n \n"), None);
    }
}
