//! The settings in nats-server's own language.

use std::fmt::Write;
use std::path::{Component, Path};

use super::accounts;
use super::place::{Member, Place};
use super::quoted::quoted;
use super::settings::{Auth, Port, Store, Tls};

/// The config file's text.
///
/// The port is -1 for "any": the server chooses, and says which. Choosing one here and closing it
/// again would leave a moment in which somebody else takes it.
pub(super) fn text(place: &Place, port: Port) -> String {
    let settings = &place.settings;
    let port = match port {
        Port::Any => "-1".to_owned(),
        Port::Fixed(port) => port.to_string(),
    };
    let mut text =
        format!("server_name: {}\nhost: \"127.0.0.1\"\nport: {port}\n", quoted(&place.name));
    if settings.monitoring {
        text.push_str("http: \"127.0.0.1:-1\"\n");
    }
    if let Some(bytes) = settings.max_payload {
        let _ = writeln!(text, "max_payload: {bytes}");
    }
    if let Some(divided) = &place.divided {
        text.push_str(&divided.config(settings));
    }
    match &settings.auth {
        None => {}
        // They are in an account.
        Some(Auth::User { .. }) if place.divided.is_some() => {}
        Some(Auth::Roles(roles)) => {
            let config = |logins| accounts::config(logins, roles, settings.stores());
            text.extend(place.logins.iter().map(config));
        }
        Some(Auth::Token(token)) => {
            let _ = writeln!(text, "authorization {{ token: {} }}", quoted(token));
        }
        Some(Auth::User { user, password }) => {
            let (user, password) = (quoted(user), quoted(password));
            let _ = writeln!(text, "authorization {{ user: {user}, password: {password} }}");
        }
    }
    if let Some(Tls { cert, key, ca }) = &settings.tls {
        let files = [("cert_file", Some(cert)), ("key_file", Some(key)), ("ca_file", ca.as_ref())];
        text.push_str("tls {\n");
        for (name, path) in files.into_iter().filter_map(|(name, path)| Some((name, path?))) {
            let _ = writeln!(text, "  {name}: {}", quoted(&absolute(path)));
        }
        text.push_str("}\n");
    }
    if settings.stores() {
        jetstream(&mut text, place);
    }
    if let Some(member) = &place.member {
        text.push_str(&cluster(member));
    }
    text.push_str(&settings.extra_config);
    if let Some(file) = &settings.include {
        let _ = writeln!(text, "include '{}'", from(&place.run_dir, file));
    }
    text
}

fn jetstream(text: &mut String, place: &Place) {
    let store_dir = quoted(&place.store_dir.to_string_lossy());
    let _ = writeln!(text, "jetstream {{\n  store_dir: {store_dir}");
    if matches!(place.settings.store, Store::Folder(_)) {
        // The default syncs every two minutes: an acknowledged message could be lost with the machine.
        text.push_str("  sync_interval: always\n");
    }
    text.push_str("}\n");
}

/// The way to a file from a folder: an `include` of nats-server's is looked for from the file that it
/// stands in, also where it begins with `/`.
fn from(folder: &Path, file: &Path) -> String {
    let normal = |part: &Component<'_>| matches!(part, Component::Normal(_));
    let up = "../".repeat(folder.components().filter(normal).count());
    format!("{up}{}", absolute(file).trim_start_matches('/'))
}

/// How a server finds the others, and their common login.
fn cluster(member: &Member) -> String {
    let Member { cluster, port, all, told, secret, advertise } = member;
    let mut text = format!("cluster {{\n  name: {}\n", quoted(cluster));
    let _ = writeln!(text, "  host: \"127.0.0.1\"\n  port: {port}");
    let _ = writeln!(text, "  authorization {{ user: route, password: {} }}", quoted(secret));
    if let Some(port) = told {
        let _ = writeln!(text, "  advertise: \"127.0.0.1:{port}\"");
    }
    let _ = writeln!(text, "  no_advertise: {}\n  routes: [", !advertise);
    for port in all {
        let _ = writeln!(text, "    \"nats-route://route:{secret}@127.0.0.1:{port}\"");
    }
    text.push_str("  ]\n}\n");
    text
}

/// The server's working folder is not ours.
fn absolute(path: &Path) -> String {
    // One that is missing stays as it is: the server says so.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use crate::broker::quoted::quoted;

    #[test]
    fn quotes_and_controls_are_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{1}é"), r#""a\"b\\c\n\x01é""#);
    }
}
