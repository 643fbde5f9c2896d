//! The services and operations that `call` and `publish` know by name, for their help and for
//! suggestions after a typo.

use super::exit::CliError;
use crate::e2e::scenario::nearest;
use crate::modules::math::Operation;

/// The table of `call --help`.
pub const CALLS: &str = "\
Services:
  math add|subtract|multiply|divide|power A B   print the result
  math sqrt A                                   print the result
  payment status PAYMENT_ID                     print where a payment stands

Any other service, by module and name or by subject:
  call math calculate --data '{\"operation\": \"add\", \"a\": 10, \"b\": 5}'
  call services.math.calculate '{\"operation\": \"sqrt\", \"a\": 144}'
  call services.math.calculate --data @request.json
  echo '{\"payment_id\": \"pay-001\"}' | mono-demo call payment status --data -";

/// The table of `publish --help`.
pub const PUBLISHES: &str = "\
Services:
  notification email-send TO SUBJECT [BODY]   queue an email (fire-and-forget: with no worker it is
                                              gone, and --confirm says so)

Any other, by module and name or by subject; -J waits for the stream's acknowledgement:
  publish notification email-send --data '{\"to\": \"user@example.com\", \"subject\": \"Hello\"}'
  publish orders.created '{\"id\": 1}'
  publish -J services.payment.payment-process --data @payment.json";

/// What a command knows by name.
pub struct Known {
    command: &'static str,
    modules: Vec<(&'static str, Vec<&'static str>)>,
}

impl Known {
    pub fn to_call() -> Self {
        let operations = Operation::ALL.map(Operation::name).to_vec();
        Self { command: "call", modules: vec![("math", operations), ("payment", vec!["status"])] }
    }

    pub fn to_publish() -> Self {
        Self { command: "publish", modules: vec![("notification", vec!["email-send"])] }
    }

    /// The names of all modules.
    pub fn modules(&self) -> Vec<&'static str> {
        self.modules.iter().map(|(name, _)| *name).collect()
    }

    /// What can be asked of a module; nothing, if it is not known.
    pub fn operations(&self, module: &str) -> Vec<&'static str> {
        let found = self.modules.iter().find(|(name, _)| *name == module);
        found.map(|(_, operations)| operations.clone()).unwrap_or_default()
    }

    /// Whether these words are about a module, of this command or of another one, or with a typo in its
    /// name; all else is a subject and a body.
    pub fn means(&self, target: &str, word: &str) -> bool {
        if target.contains('.') {
            return false;
        }
        let is_module = [Self::to_call(), Self::to_publish()]
            .iter()
            .any(|known| known.modules().contains(&target));
        let near = nearest(target, self.modules()).is_some_and(|module| {
            let operations = self.operations(module);
            operations.contains(&word) || nearest(word, operations).is_some()
        });
        is_module || near
    }

    /// The error for what another command is for.
    fn another_pattern(&self, module: &str, operation: Option<&str>) -> Option<CliError> {
        let command = self.command;
        let (pattern, hint) = match (command, module, operation) {
            ("call", "notification", _) => (
                "emails are published to a queue group, and nobody replies",
                "`mono-demo publish notification email-send TO SUBJECT [BODY]`",
            ),
            ("publish", "math", _) => (
                "it is request-reply: whoever asks waits for the reply",
                "`mono-demo call math add 1 2`",
            ),
            ("publish", "payment", Some("status")) => (
                "it is request-reply: whoever asks waits for the reply",
                "`mono-demo call payment status PAYMENT_ID`",
            ),
            ("call" | "publish", "payment", Some("payment-process"))
            | ("publish", "payment", _) => (
                "payments are stored in a stream, which acknowledges them",
                "`mono-demo pay PAYMENT_ID AMOUNT`, or \
                 `mono-demo publish -J services.payment.payment-process --data @payment.json`",
            ),
            _ => return None,
        };
        let what = operation.map(|name| format!(" {name}")).unwrap_or_default();
        Some(CliError::usage(format!("{command} {module}{what}: {pattern}")).hint(hint))
    }

    /// The error for an unknown module or operation, with a suggestion.
    pub fn unknown(&self, module: &str, operation: Option<&str>) -> CliError {
        let command = self.command;
        let list = |names: &[&str]| match names {
            [one] => format!("there is only {one}"),
            names => format!("there are {}", names.join(", ")),
        };
        let else_raw = || {
            format!(
                "any other service is reached with --data: `mono-demo {command} --help` shows how"
            )
        };
        if module.contains('.') {
            let message = format!("{command} {module}: a subject goes with a body, or with --data");
            return CliError::usage(message).hint(else_raw());
        }
        if let Some(error) = self.another_pattern(module, operation) {
            return error;
        }
        let Some((_, operations)) = self.modules.iter().find(|(name, _)| *name == module) else {
            let names = self.modules();
            let message =
                format!("{command}: there is no module {module:?} here; {}", list(&names));
            let meant = nearest(module, names).map(|near| {
                let rest = operation.map(|name| format!(" {name}")).unwrap_or_default();
                format!("did you mean `{command} {near}{rest}`?")
            });
            return CliError::usage(message).hint(meant.unwrap_or_else(else_raw));
        };
        let Some(operation) = operation else {
            let message = format!("{command} {module}: name an operation; {}", list(operations));
            return CliError::usage(message)
                .hint(format!("`mono-demo {command} --help` shows what each is given"));
        };
        let message =
            format!("{command} {module}: {operation:?} is not an operation; {}", list(operations));
        let meant = nearest(operation, operations.iter().copied());
        let meant = meant.map(|near| format!("did you mean `{command} {module} {near}`?"));
        CliError::usage(message).hint(meant.unwrap_or_else(else_raw))
    }
}
