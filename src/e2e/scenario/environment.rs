//! `env` and `cwd`: where a service or a program runs, and what is added to its environment.

use std::collections::BTreeMap;

use super::findings::Findings;
use super::reader::Fields;

/// Variables by name; their values may have `{{name}}` in them.
pub(in crate::e2e) fn env(
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let Some((table, _)) = fields.table("env", findings) else { return BTreeMap::new() };
    let mut env = BTreeMap::new();
    for (name, item) in table {
        let text = item.get_ref().as_str();
        match text {
            Some(value) => {
                findings.check_variables(&item.span(), value);
                env.insert(name.get_ref().to_string(), value.to_owned());
            }
            None => findings.add(item.span(), "a variable's value is a string"),
        }
        if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
            findings.add(name.span(), "a variable's name is not empty and has no `=`");
        }
    }
    env
}

/// A folder, from the suite's: it may lie outside, as that of the repository does.
pub(in crate::e2e) fn cwd(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let cwd = fields.text("cwd", findings)?;
    if cwd.trim().is_empty() {
        findings.add(fields.span_of("cwd"), "`cwd` names a folder, as in \"..\"");
    }
    Some(cwd)
}
