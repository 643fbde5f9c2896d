//! Names of values.

use crate::e2e::scenario::findings::Findings;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;

/// A name that `{{name}}` can be, and that is nobody else's.
pub(in crate::e2e) fn check_name(name: &str, span: &Span, of: &str, findings: &mut Findings) {
    let named =
        template::names(&format!("{{{{{name}}}}}")).len() == 1 && !name.starts_with(template::PORT);
    if !named {
        let message = format!(
            "`{name}` cannot name a value of a {of}: expected lower-case letters, digits and `_`"
        );
        findings.add(span.clone(), message);
    } else if ["n", "k"].contains(&name) || findings.variables.contains(name) {
        findings.add(span.clone(), format!("`{{{{{name}}}}}` has a meaning of its own"));
    }
}
