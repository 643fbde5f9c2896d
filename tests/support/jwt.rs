//! An operator's, an account's and a user's JWT, as `nsc` makes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// What a server in operator mode is configured with, and a user that it lets in.
pub struct Issued {
    pub config: String,
    pub user: String,
    /// One that needs no signature.
    pub bearer: String,
    pub seed: String,
}

impl Issued {
    pub fn new() -> Self {
        let (operator, account, user) =
            (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
        let none = json!({});
        let of_operator = jwt(&operator, &operator, json!({"type": "operator", "version": 2}));
        let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1});
        let of_account = json!({"limits": limits, "type": "account", "version": 2,
            "default_permissions": {"pub": none, "sub": none}});
        let of_account = jwt(&operator, &account, of_account);
        let of_user = |bearer: bool| {
            json!({"pub": none, "sub": none, "subs": -1, "data": -1, "payload": -1,
                "type": "user", "version": 2, "bearer_token": bearer})
        };
        Self {
            config: format!(
                "operator: {of_operator:?}\nresolver: MEMORY\nresolver_preload: {{ {}: {of_account:?} }}",
                account.public_key()
            ),
            user: jwt(&account, &user, of_user(false)),
            bearer: jwt(&account, &user, of_user(true)),
            seed: user.seed().unwrap(),
        }
    }

    /// As `nsc generate creds` writes it, with this end to each line.
    pub fn creds(&self, end: &str) -> String {
        [
            "-----BEGIN NATS USER JWT-----",
            &self.user,
            "------END NATS USER JWT------",
            "",
            "************************* IMPORTANT *************************",
            "NKEY Seed printed below can be used to sign and prove identity.",
            "",
            "-----BEGIN USER NKEY SEED-----",
            &self.seed,
            "------END USER NKEY SEED------",
        ]
        .join(end)
    }
}

fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let claims = json!({"jti": "a", "iat": 1_700_000_000, "iss": issuer.public_key(),
        "sub": subject.public_key(), "name": "test", "nats": nats});
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}
