//! A suite of one's own, in a folder of a home, which `e2e` runs as a program.

use super::program::{Home, Said};

/// A suite in a folder of that home.
pub fn suite(home: &Home, file: &str, scenarios: &[(&str, &str)]) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), file).unwrap();
    for (name, steps) in scenarios {
        let text = format!("description = \"{name}\"\n{steps}");
        std::fs::write(root.join(format!("scenarios/{name}.toml")), text).unwrap();
    }
}

pub fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

/// A step that any suite can do.
pub const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";
