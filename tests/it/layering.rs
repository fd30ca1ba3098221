//! Holds the layering of docs/architecture.md by reading the `use` lines: a module may name only modules of
//! the same or a lower layer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the crate, lowest layer first. A module may use those of its own row and of the rows above it.
const LAYERS: &[&[&str]] = &[
    &["finding", "remote"],
    &["inventory"],
    &["report", "trail"],
    &["ntpconf"],
    &["vault"],
    &["mint"],
    &["plan"],
    &["rotate"],
    &["apply", "export"],
    &["demo"],
    &["cli"],
];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Sources of what is built; a module's tests may stand in a file of their own (`tests.rs`, `mv_tests.rs`).
fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem == "tests" || stem.ends_with("_tests")
}

/// The crate's modules that a text names by `crate::…` or `keytrail::…`.
fn modules_used(text: &str) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // Tests of a module may build their input with higher layers.
        if line.trim() == "#[cfg(test)]" {
            break;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split([',', '}']).map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(name.len());
                if !name[..end].is_empty() {
                    used.push((number + 1, name[..end].to_owned()));
                }
            }
        }
    }
    used
}

#[test]
fn modules_use_only_lower_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).expect("below src");
        let first = inside
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let module = first.trim_end_matches(".rs").to_owned();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some(own) = layer_of(&module) else {
            wrong.push(format!(
                "{}: module '{module}' has no layer; add it to LAYERS",
                inside.display()
            ));
            continue;
        };
        for (line, used) in modules_used(&fs::read_to_string(&file).expect("a readable file")) {
            if used != module && layer_of(&used).is_some_and(|layer| layer > own) {
                wrong.push(format!(
                    "{}:{line}: '{module}' must not use '{used}'",
                    inside.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "layering broken:\n{}", wrong.join("\n"));
}

#[test]
fn architecture_document_names_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/architecture.md")).expect("docs/architecture.md");
    let named: BTreeMap<&str, bool> = LAYERS
        .iter()
        .flat_map(|l| l.iter())
        .map(|m| (*m, text.contains(&format!("`{m}`"))))
        .collect();
    let missing: Vec<_> = named
        .iter()
        .filter(|(_, there)| !**there)
        .map(|(m, _)| *m)
        .collect();
    assert!(
        missing.is_empty(),
        "docs/architecture.md does not name: {missing:?}"
    );
}

#[test]
fn only_cli_and_main_print_or_read_the_environment() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).expect("below src").to_owned();
        // Files of unit tests (`tests.rs`, `…_tests.rs`, `tests/…`) may be told by the environment to bless.
        let stem = inside
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if stem.ends_with("tests") || inside.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        if inside.starts_with("cli") || inside == Path::new("main.rs") {
            continue;
        }
        for (number, line) in fs::read_to_string(&file)
            .expect("a readable file")
            .lines()
            .enumerate()
        {
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            let code = line.split("//").next().unwrap_or_default();
            for word in ["println!", "eprintln!", "print!(", "env::var", "io::stdin()"] {
                if code.contains(word) {
                    wrong.push(format!("{}:{}: {word}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "only cli talks to people:\n{}",
        wrong.join("\n")
    );
}
