//! The real chrony and NTPsec, unpacked and never installed, and a host's files where they can read them.

use keytrail::plan::DesiredHost;
use std::path::{Path, PathBuf};

/// Where tests/tools/get-daemons.sh unpacked a package.
pub fn root(package: &str) -> PathBuf {
    let prefix = std::env::var_os("KEYTRAIL_TEST_DAEMONS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-daemons"),
        PathBuf::from,
    );
    let root = prefix.join(package);
    assert!(
        root.join(".complete").exists(),
        "no daemons in {}: run the tests by `make test`, or run tests/tools/get-daemons.sh target/test-daemons first",
        prefix.display()
    );
    root
}

/// The directories for `LD_LIBRARY_PATH`.
pub fn libraries(package: &str) -> String {
    std::fs::read_dir(root(package).join("usr/lib"))
        .expect("unpacked")
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .collect::<Vec<_>>()
        .join(":")
}

/// A daemon and its libraries.
pub fn daemon(package: &str, program: &str) -> (PathBuf, String) {
    (root(package).join("usr/sbin").join(program), libraries(package))
}

/// Writes a host's files below `dir`, with `dir` in the place of the root in what they name.
pub fn write(made: &DesiredHost, dir: &Path) {
    for (path, content) in &made.contents {
        let text = content
            .expose_str()
            .expect("text")
            .replace(" /etc/", &format!(" {}/etc/", dir.display()));
        let file = dir.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        std::fs::write(file, text).expect("written");
    }
}
