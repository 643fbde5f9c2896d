//! Credentials and TLS as a person meets them: `serve --auth`, one-shot commands, scenarios; and that
//! no password gets out.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::program::{Home, Said, Serve};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode()
        & 0o777
}

/// The context of a role, as the ready file says.
fn context(serve: &Serve, role: &str) -> PathBuf {
    let folder = serve.runtime()["contexts"].as_str().expect("a folder of contexts").to_owned();
    Path::new(&folder).join(role).with_extension("json")
}

fn password(serve: &Serve, role: &str) -> String {
    let text = std::fs::read(context(serve, role)).unwrap();
    let value: Value = serde_json::from_slice(&text).unwrap();
    value["password"].as_str().unwrap().to_owned()
}

const ROLES: [&str; 3] = ["client", "worker", "harness"];

#[test]
fn with_auth_each_command_finds_its_role_and_strangers_are_refused() {
    let home = Home::new();
    let (save, store) = (["--save-context", "mine"], ["--store-dir", "data"]);
    let serve = home.serve(&[["--port", "0", "--auth"].as_slice(), &save, &store].concat());
    let passwords = ROLES.map(|role| password(&serve, role));
    assert_eq!(home.run(&["call", "math", "add", "10", "5"]).ok(), "15\n");
    home.run(&["pay", "pay-1", "9.99"]).ok();
    home.run(&["publish", "notification", "email-send", "a@example.com", "Hello"]).ok();
    let other = "{\"payment_id\": \"pay-1\", \"amount\": 10}";
    home.run(&["publish", "-J", "services.payment.payment-process", "--data", other]).ok();
    support::eventually("the conflict is a dead letter", Duration::from_secs(60), || {
        home.run(&["dlq", "ls"]).ok().contains("conflict")
    });
    assert!(home.run(&["dlq", "replay", "--all"]).ok().starts_with("replayed 1"));
    support::eventually("all is settled", Duration::from_secs(60), || {
        home.run(&["audit"]).ok().ends_with("consistent\n")
    });

    // Its worker may do all that it does.
    assert!(!serve.stderr().contains("Violation"), "{}", serve.stderr());
    let listening = r#"{"name":"X","subjects":["services.math.calculate"],"storage":"memory","retention":"limits"}"#;
    let harness = context(&serve, "harness");
    let create = ["call", "$JS.API.STREAM.CREATE.X", "--data", listening];
    home.run(&[&["--context", harness.to_str().unwrap()], &create[..]].concat()).ok();
    serve.says(Duration::from_secs(60), "stream `X` also stores requests to");
    let delete = ["call", "$JS.API.STREAM.DELETE.X", "--data", ""];
    home.run(&[&["--context", harness.to_str().unwrap()], &delete[..]].concat()).ok();

    // By what it saved, and by the file that it names; not without.
    let url = serve.url();
    let client = context(&serve, "client");
    for named in ["mine", client.to_str().unwrap()] {
        assert_eq!(home.run(&["--context", named, "call", "math", "add", "1", "2"]).ok(), "3\n");
    }
    // Whoever names only the URL is told what lets him in, each command as its role.
    for (command, role) in
        [(["call", "math", "add", "1", "2"].as_slice(), "client"), (&["audit"], "harness")]
    {
        let said = home.run(&[&["--server", &url], command].concat());
        let said = said.failed(8, "refused the credentials");
        let export = format!("`export NATS_CONTEXT={}`", context(&serve, role).display());
        assert!(said.stderr.contains(&export), "{}", said.stderr);
    }
    let doctor = home.run(&["--server", &url, "doctor"]).failed(3, "");
    let export = format!("`export NATS_CONTEXT={}`", client.display());
    assert!(doctor.stdout.contains(&export), "{}", doctor.stdout);
    // That passwords are in a file of this user only is on purpose.
    assert!(!serve.stderr().contains("Plaintext"), "{}", serve.stderr());
    // A client is not the harness, and a worker is neither: it is said who may, and at once.
    let (worker, harness) = (context(&serve, "worker"), context(&serve, "harness"));
    let may = format!("the role `harness` may: --context {}", harness.display());
    for (named, command) in [
        ("mine", ["dlq", "ls"].as_slice()),
        ("mine", &["dlq", "purge", "--all"]),
        ("mine", &["audit"]),
        (worker.to_str().unwrap(), &["audit"]),
    ] {
        let said = home.run(&[&["--context", named], command].concat());
        let said = said.failed(8, "Permissions Violation");
        assert!(said.stderr.contains(&may), "{}", said.stderr);
    }
    let said = home.run(&["--context", worker.to_str().unwrap(), "call", "math", "add", "1", "2"]);
    let said = said.failed(8, "Permissions Violation");
    assert!(said.stderr.contains("`client` may ask services"), "{}", said.stderr);
    // The store is in use, by a `serve` that can be asked.
    let said = home.run(&["audit", "--store-dir", "data"]).failed(3, "is in use");
    let hint = format!("`mono-demo audit --context {}`", harness.display());
    assert!(said.stderr.contains(&hint), "{}", said.stderr);
    home.run(&["--context", harness.to_str().unwrap(), "audit"]).ok();
    // Another instance joins as a worker.
    let second = home.serve(&[
        "--server",
        &url,
        "--context",
        worker.to_str().unwrap(),
        "--journal-dir",
        "j",
    ]);
    drop(second);

    let saved = home.path().join(".config/nats/context/mine.json");
    let runtime = home.path().join(format!("run/mono-demo/serve-{}.json", serve.pid()));
    for file in [&saved, &client, &worker, &context(&serve, "harness"), &runtime] {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(client.parent().unwrap()), 0o700);
    let told = std::fs::read_to_string(&runtime).unwrap() + &serve.runtime().to_string();
    serve.signal("TERM");
    let (code, stdout, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(&format!("credentials: {}", client.display())), "{stdout}");
    for password in &passwords {
        assert!(!(told.clone() + &stdout + &stderr).contains(password), "a password is shown");
    }
    assert!(!client.exists(), "it goes with the run");
}

#[test]
fn what_serve_says_to_export_lets_a_shell_in() {
    for how in [["--auth"].as_slice(), &[]] {
        let home = Home::new();
        let serve = home.serve(&[&["--port", "0"], how].concat());
        let context = (!how.is_empty()).then(|| context(&serve, "client"));
        let exported = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap();
            let mut command = home.command(["call", "math", "add", "10", "5"]);
            command.env(name, value).output().unwrap()
        };
        let expected = match &context {
            Some(file) => format!("NATS_CONTEXT={}", file.display()),
            None => format!("NATS_URL={}", serve.url()),
        };
        assert_eq!(exported(&expected).stdout, b"15\n");
        serve.signal("TERM");
        let (_, stdout, _) = serve.ended();
        let exports: Vec<_> = stdout.lines().filter_map(|l| l.strip_prefix("export ")).collect();
        assert_eq!(exports, [&expected], "{stdout}");
        // What was exported outlives its `serve`: it is said what is to be done about that.
        let (code, unset) = match context {
            Some(_) => (2, "`unset NATS_CONTEXT`"),
            None => (8, "`unset NATS_URL`"),
        };
        Said::from(exported(exports[0])).failed(code, unset);
        if let Some(url) = expected.strip_prefix("NATS_URL=") {
            let said = home.run(&["--server", url, "call", "math", "add", "10", "5"]);
            said.failed(8, "hint: start it, or name another server");
        }
    }
}

#[test]
fn passwords_stay_with_a_store_folder_and_only_there() {
    let home = Home::new();
    let kept = ["--port", "0", "--auth", "--store-dir", "store"];
    let serve = home.serve(&kept);
    let first = ROLES.map(|role| password(&serve, role));
    assert_eq!(mode(&home.path().join("store/roles.json")), 0o600);
    serve.signal("KILL");
    serve.ended();
    let serve = home.serve(&kept);
    assert_eq!(ROLES.map(|role| password(&serve, role)), first);
    drop(serve);
    let serve = home.serve(&["--port", "0", "--auth"]);
    assert_ne!(ROLES.map(|role| password(&serve, role)), first);
    drop(serve);
    // What others could read is a secret no more.
    let file = home.path().join("store/roles.json");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let args = [&["serve"][..], &kept].concat();
    home.run(&args).failed(3, "others may read it (mode 644)");
}

#[test]
fn payments_stay_when_a_store_folder_gets_roles_and_when_it_loses_them() {
    let home = Home::new();
    let mut paid = Vec::<String>::new();
    for auth in [&[][..], &["--auth"], &[], &["--auth"]] {
        let serve = home.serve(&[&["--port", "0", "--store-dir", "store"], auth].concat());
        for id in &paid {
            let said = home.run(&["call", "payment", "status", id]).ok();
            assert!(said.contains("completed"), "{id} with {auth:?}: {said}");
        }
        let id = format!("pay-{}", paid.len());
        home.run(&["pay", &id, "1"]).ok();
        paid.push(id);
        serve.signal("TERM");
        assert_eq!(serve.ended().0, Some(0));
    }
}

#[test]
fn each_client_has_a_context_and_an_account_of_its_own_and_keeps_its_password() {
    let home = Home::new();
    let kept = ["--port", "0", "--auth", "--store-dir", "store"];
    drop(home.serve(&kept)); // a file of passwords without further clients
    let serve = home.serve(&[&kept[..], &["--client", "shop", "--client", "desk"]].concat());
    let first = ["shop", "desk"].map(|name| password(&serve, name));
    for name in ["shop", "desk"] {
        let file = context(&serve, name);
        assert_eq!(mode(&file), 0o600);
        let file = file.to_str().unwrap();
        assert_eq!(home.run(&["--context", file, "call", "math", "add", "1", "2"]).ok(), "3\n");
        home.run(&["--context", file, "pay", name, "1"]).ok();
    }
    drop(serve);
    let serve = home.serve(&[&kept[..], &["--client", "shop"]].concat());
    assert_eq!(password(&serve, "shop"), first[0]);
    assert!(!context(&serve, "desk").exists());
    drop(serve);
    for (name, why) in [("worker", "already"), ("../x", "a-z"), ("", "a-z"), ("A", "a-z")] {
        home.run(&["serve", "--auth", "--client", name]).failed(2, why);
    }
    home.run(&["serve", "--client", "shop"]).failed(2, "--auth");
}

#[test]
fn a_cluster_asks_for_credentials_too() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--auth", "--cluster", "3"]);
    assert_eq!(serve.url().split(',').count(), 3);
    assert_eq!(home.run(&["call", "math", "add", "1", "2"]).ok(), "3\n");
    home.run(&["pay", "pay-1", "9.99"]).ok();
    for url in serve.url().split(',') {
        home.run(&["--server", url, "call", "math", "add", "1", "2"])
            .failed(8, "refused the credentials");
    }
}

#[test]
fn what_is_refused_is_said_at_once() {
    let home = Home::new();
    let refused = |args: &[&str], subject: &str| {
        let began = Instant::now();
        let said = home.run(&[&["--timeout", "10m"], args].concat()).failed(8, subject);
        assert!(said.stderr.contains("Permissions Violation"), "{}", said.stderr);
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    };
    let ways: [(&[&str], &str); 7] = [
        (&["publish", "payments.ledger.x", "--data", "x"], "payments.ledger.x"),
        (&["publish", "-J", "payments.ledger.x", "--data", "x"], "payments.ledger.x"),
        (&["call", "$JS.API.STREAM.DELETE.payment-ledger", "--data", ""], "STREAM.DELETE"),
        (&["call", "payments.ledger", "--data", ""], "payments.ledger"),
        // The server quotes these.
        (&["publish", "payments.ledger.x\"y", "--data", "x"], "payments.ledger.x"),
        (
            &["publish", "payments.ledger.x\\y\u{200b}", "--data", "x", "--confirm"],
            "payments.ledger.x",
        ),
        (&["call", "payments.led\"ger", "--data", ""], "payments.led"),
    ];
    // With a broker of one's own there is nobody to refuse it, and nobody to hear it.
    home.run(ways[0].0).failed(5, ways[0].1);
    let _serve = home.serve(&["--port", "0", "--auth"]);
    for (args, subject) in ways {
        refused(args, subject);
    }
    // A `serve` that is not let in is told as whom to join, not that it would be found.
    let url = _serve.url();
    let said = home.run(&["serve", "--server", &url]).failed(8, "refused the credentials");
    let join = format!("join it by `--context {}`", context(&_serve, "worker").display());
    assert!(said.stderr.contains(&join), "{}", said.stderr);
    // Services that may not do what they need say so, and do not start.
    let client = context(&_serve, "client");
    let args =
        ["serve", "--server", &url, "--context", client.to_str().unwrap(), "--journal-dir", "j"];
    let said = home.run(&args).failed(8, "Permissions Violation");
    assert!(said.stderr.contains("that is `worker`"), "{}", said.stderr);
}

#[test]
fn auth_and_tls_are_for_a_broker_that_serve_starts() {
    let home = Home::new();
    let elsewhere = ["serve", "--server", "nats://127.0.0.1:1"];
    home.run(&[&elsewhere[..], &["--auth"]].concat()).failed(2, "--auth is for a broker");
    let tls = ["--tls-cert", "a.pem", "--tls-key", "b.pem"];
    home.run(&[&elsewhere[..], &tls].concat()).failed(2, "--tls-cert is for a broker");
    home.run(&["serve", "--tls-cert", "a.pem"]).failed(2, "--tls-key");
    home.run(&[&["serve"], &tls[..]].concat()).failed(2, "a.pem: No such file");
}

/// An authority, a certificate for 127.0.0.1 that it signed, its key, and another key.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("cert.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    write("other.pem", KeyPair::generate().unwrap().serialize_pem());
    write("ca.pem", authority.pem());
}

#[test]
fn with_certificates_everything_speaks_tls() {
    let home = Home::new();
    certificates(home.path());
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--tls-ca", "ca.pem"];
    for more in [&[][..], &["--auth"], &["--cluster", "3"]] {
        let serve =
            home.serve(&[&["--port", "0", "--save-context", "mine"], &tls[..], more].concat());
        assert_eq!(home.run(&["call", "math", "add", "1", "2"]).ok(), "3\n", "{more:?}");
        assert_eq!(home.run(&["--context", "mine", "call", "math", "add", "1", "2"]).ok(), "3\n");
        let url = serve.url();
        home.run(&["--server", &url, "call", "math", "add", "1", "2"]).failed(8, "certificate");
        if more.is_empty() {
            let ask = ["--server", &url, "--tlsca", "ca.pem", "call", "math", "add", "1", "2"];
            assert_eq!(home.run(&ask).ok(), "3\n");
            let mut asked = home.command(["call", "math", "add", "1", "2"]);
            let output = asked.env("NATS_URL", &url).env("NATS_CA", "ca.pem").output().unwrap();
            assert_eq!(output.stdout, b"3\n");
        }
    }
}

#[test]
fn a_wrong_key_or_file_is_told_before_anything_serves() {
    let home = Home::new();
    certificates(home.path());
    let serve = |cert: &str, key: &str| {
        home.run(&["serve", "--port", "0", "--tls-cert", cert, "--tls-key", key])
    };
    let text = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("text.pem", "hello");
    for name in ["cert", "key", "ca"] {
        let whole = text(&format!("{name}.pem"));
        write(&format!("half-{name}.pem"), &whole[..whole.len() / 2]);
    }
    write("chain.pem", &(text("ca.pem") + &text("cert.pem")));
    write("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
    write(
        "old.pem",
        &format!("-----BEGIN EC PRIVATE KEY-----\n{old}\n-----END EC PRIVATE KEY-----"),
    );
    write(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (cert, key, words) in [
        ("cert.pem", "other.pem", "other.pem: its first certificate is of another key"),
        ("chain.pem", "key.pem", "one's own comes first"),
        ("damaged.pem", "key.pem", "key.pem: its first certificate is damaged"),
        ("cert.pem", "text.pem", "text.pem: no PEM of one is in this file"),
        ("text.pem", "key.pem", "text.pem: no PEM of one is in this file"),
        ("key.pem", "cert.pem", "key.pem: no PEM of one is in this file, but a key"),
        ("cert.pem", "ca.pem", "ca.pem: no PEM of one is in this file, but a certificate"),
        ("half-cert.pem", "key.pem", "half-cert.pem: its PEM has no end"),
        ("cert.pem", "half-key.pem", "half-key.pem: its PEM has no end"),
        ("cert.pem", "encrypted.pem", "encrypted.pem: it is encrypted; `openssl pkey -in"),
        ("cert.pem", "old.pem", "old.pem: it is encrypted; `openssl pkey -in"),
    ] {
        serve(cert, key).failed(2, words);
    }
    let with_ca = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--tls-ca", "half-ca.pem"];
    home.run(&[&["serve", "--port", "0"], &with_ca[..]].concat())
        .failed(2, "half-ca.pem: its PEM has no end");
    assert!(!home.path().join("run").exists());
}

/// A scenario that fails, whose program shows what it was given, and keeps all that it can see.
const LEAK: &str = r#"
description = "A program that tells its password"

[[step]]
call = "math.add"
args = [1, 2]
reply = 3

[[step]]
run = ["sh", "-c", '''
echo "I am $NATS_USER with $NATS_PASSWORD"; echo "$NATS_PASSWORD" >&2
for folder in "$TMPDIR"/mono-demo-*; do
  test -e "$folder/nats.conf" || continue
  cp -r "$folder" "$KEEP"; find "$folder" -printf '%m %y %P\n' > "$KEEP/modes"
done
for process in /proc/[0-9]*; do
  tr '\0' ' ' < "$process/cmdline"; echo
done > "$KEEP/processes" 2> /dev/null
exit 7
''']
exit = 0
"#;

/// What a failing run of [`LEAK`] leaves: what it said, its files, and what its program saw.
fn leak(home: &Home, client: &str) -> (String, PathBuf) {
    std::fs::create_dir_all(home.path().join("fixtures")).unwrap();
    std::fs::write(home.path().join("fixtures/leak.toml"), LEAK).unwrap();
    let kept = home.path().join(format!("kept-{client}"));
    std::fs::create_dir(&kept).unwrap();
    let args = [
        "--log",
        "trace",
        "e2e",
        "--client",
        client,
        "--jobs",
        "1",
        "--report",
        "junit=junit.xml",
        "--report",
        "json=report.json",
    ];
    let output = home.command(args).env("KEEP", &kept).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), kept)
}

/// The files below `folder` that have one of the `secrets` in them.
fn holders(folder: &Path, secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                if secrets.iter().any(|secret| text.contains(secret)) {
                    found.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_password_of_a_run_is_in_output_reports_histories_logs_or_command_lines() {
    for client in ["rust", "rust-pipe"] {
        let home = Home::new();
        let (said, kept) = leak(&home, client);
        let read = |name: &str| std::fs::read_to_string(kept.join(name)).unwrap();
        let run = kept.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let run = run.into_iter().find(|path| path.is_dir()).expect("the run's folder");
        let config = std::fs::read_to_string(run.join("nats.conf")).unwrap();
        let secrets = config.split("password: \"").skip(1);
        let secrets: Vec<String> =
            secrets.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        assert_eq!(secrets.len(), 4);

        // The program told it, and what is told about the program does not.
        let report = std::fs::read_to_string(home.path().join("report.json")).unwrap();
        assert!(report.contains("I am client with <password>"), "{report}");
        assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
        // In the run's private folder two files have them: the broker's and the services'.
        assert_eq!(holders(&run, &secrets), ["nats.conf", "worker.json"]);
        assert!(run.join("history.jsonl").exists() && run.join("broker.log").exists());
        // Nothing else has: reports, transcripts that wait for review, command lines.
        std::fs::remove_dir_all(&run).unwrap();
        for name in ["junit.xml", "report.json"] {
            assert!(home.path().join(name).exists(), "{name}");
        }
        assert_eq!(holders(home.path(), &secrets), [] as [String; 0]);
        let processes = read("processes");
        assert!(processes.contains("nats-server -c") && processes.contains("worker.json"));

        // Nobody else can look into the folder; what is ours there is for us alone, too.
        let modes = read("modes");
        for line in modes.lines() {
            let mut words = line.splitn(3, ' ');
            let mode = words.next().unwrap();
            let (kind, path) = (words.next().unwrap(), words.next().unwrap());
            let theirs = path.starts_with("store/"); // nats-server's own
            let wanted = if kind == "d" { "700" } else { "600" };
            assert!(theirs || kind == "s" || mode == wanted, "{line}\n{modes}");
        }
        assert!(
            modes.lines().any(|line| line.starts_with("700 d") && line.trim_end().ends_with('d'))
        );
    }
}

#[test]
fn a_password_that_is_written_somewhere_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(folder.path().join("deep/leak.log"), "connected as client:s3cret").unwrap();
    std::fs::write(folder.path().join("clean.log"), "connected").unwrap();
    assert_eq!(holders(folder.path(), &["s3cret".to_owned()]), ["leak.log"]);
}

#[test]
fn a_context_that_serve_did_not_write_is_not_overwritten() {
    let home = Home::new();
    let folder = home.path().join(".config/nats/context");
    std::fs::create_dir_all(&folder).unwrap();
    let theirs = "{\"description\": \"production\", \"url\": \"nats://far.away:4222\"}";
    std::fs::write(folder.join("prod.json"), theirs).unwrap();
    let said = home.run(&["serve", "--port", "0", "--save-context", "prod"]);
    said.failed(2, "is there already, and `serve` did not write it");
    assert_eq!(std::fs::read_to_string(folder.join("prod.json")).unwrap(), theirs);
    for _ in 0..2 {
        drop(home.serve(&["--port", "0", "--save-context", "mine"]));
    }
}
