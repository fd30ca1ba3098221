//! Every test is built and run: in one of six binaries, by `make test` or `make test-long`, and none is ignored but those that need
//! a daemon which no package registry has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn six_binaries_have_every_test_file() {
    let tests = root().join("tests");
    let mut files = Vec::new();
    rust_files(&tests, &mut files);
    let mut binaries = BTreeSet::new();
    for file in &files {
        let dir = file.parent().expect("a directory");
        let name = file.file_stem().expect("a name").to_string_lossy();
        if name == "main" {
            let binary = dir.strip_prefix(&tests).expect("below tests");
            binaries.insert(binary.display().to_string());
            continue;
        }
        let (above, module) = if name == "mod" {
            (
                dir.parent().expect("above"),
                dir.file_name().expect("a name").to_string_lossy(),
            )
        } else {
            (dir, name)
        };
        let line = format!("mod {module};");
        let mut parents = ["main.rs", "mod.rs"].map(|parent| above.join(parent)).to_vec();
        parents.push(above.with_extension("rs"));
        if dir == tests.join("common") && module == "common" {
            parents = vec![tests.join("it/main.rs")];
        }
        let named = parents
            .iter()
            .any(|parent| parent.is_file() && read(parent).contains(&line));
        assert!(named, "no `{line}` for {}: it is never built", file.display());
    }
    let six = ["attacks", "daemons", "interop", "it", "sshd", "torture"];
    assert_eq!(
        binaries,
        BTreeSet::from(six.map(str::to_owned)),
        "each more links all libraries once more"
    );
    let scripts = read(&root().join("scripts/test.sh")) + &read(&root().join("scripts/test-long.sh"));
    for binary in six {
        assert!(
            scripts.contains(&format!("--test {binary}")),
            "no script runs {binary}"
        );
    }
    // scripts/test.sh names binaries, and would not see these.
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        let tests = entry.expect("an entry").path().join("tests");
        assert!(
            !tests.exists(),
            "{}: put them into tests/it, or name them in scripts/test.sh",
            tests.display()
        );
    }
}

#[test]
fn no_other_test_is_ignored() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "crates"] {
        rust_files(&root().join(dir), &mut files);
    }
    let marks = [
        concat!("#[", "ignore"),
        concat!("```", "ignore"),
        concat!("ignore ", "= \""),
    ];
    for file in files {
        let text = read(&file);
        let interop = file.starts_with(root().join("tests/interop"));
        assert!(
            interop || !marks.iter().any(|mark| text.contains(mark)),
            "{} has a test that is ignored",
            file.display()
        );
    }
    let interop = read(&root().join("tests/interop/main.rs"));
    let count = |what: &str| interop.matches(what).count();
    assert_eq!(
        count("#[test]\n"),
        count(&format!("{} = \"needs ntp.org's ntpd", marks[0])),
        "without the daemon it proves nothing"
    );
}
