//! Holds the layers of docs/architecture.md, by the sources' own syntax: every file that the crate is made of, every path in
//! it, followed through `use` and `pub use` to the file that defines the name.

mod reader;
mod sources;
mod syntax;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use sources::{Sources, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

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
    &["ops"],
    &["cli"],
];

/// Circles among files that are still there: all files of each are below one of these paths. This list only shrinks.
const KNOWN_CIRCLES: &[&[&str]] = &[
    &["inventory/resolve"],
    &["inventory/yaml/events.rs", "inventory/yaml/plain.rs"],
    &["trail/draw/layout.rs", "trail/draw/mark.rs"],
    &["trail/failure.rs", "trail/flow.rs"],
    // crates/keygen, crates/media, crates/ntpq
    &["decision.rs", "existing.rs", "present.rs"],
    &["key_file.rs", "key_file_read.rs"],
    &["pkcs8.rs", "pkcs8_read.rs"],
    &["chrony.rs", "chrony_source.rs"],
    &["code.rs", "cryptostats.rs"],
    &["explain_log.rs", "recognise.rs", "trouble.rs"],
];

/// What only `cli` and `main` may do, by the paths of the standard library.
const TALKING: &[&str] = &[
    "std::env::args",
    "std::env::args_os",
    "std::env::var",
    "std::env::var_os",
    "std::env::vars",
    "std::env::vars_os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
];
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program's own crate, then the others.
static CRATES: LazyLock<Vec<Sources>> = LazyLock::new(|| {
    let mut crates = vec![Sources::read(&root().join("src"), "keytrail")];
    let mut others: Vec<PathBuf> = fs::read_dir(root().join("crates"))
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .collect();
    others.sort();
    for dir in others {
        let name = dir
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .replace('-', "_");
        crates.push(Sources::read(&dir.join("src"), &format!("keytrail_{name}")));
    }
    crates
});

/// A file uses what another one defines, as this line says.
#[derive(Debug)]
struct Use {
    from: usize,
    to: usize,
    line: usize,
    path: String,
}

fn uses(sources: &Sources) -> Vec<Use> {
    let mut uses = Vec::new();
    for (at, module) in sources.modules.iter().enumerate() {
        for named in &module.named {
            // A module that is only brought into scope is used where something of it is named.
            if let Some(Target::Item(owner)) = sources.resolve(at, &named.segments) {
                let to = sources.modules[owner].file;
                if to != module.file {
                    uses.push(Use {
                        from: module.file,
                        to,
                        line: named.line,
                        path: named.segments.join("::"),
                    });
                }
            }
        }
    }
    uses
}

/// Paths into the crate that lead nowhere: what a macro defines is not seen here, and must not go unseen.
fn lost(sources: &Sources) -> Vec<String> {
    let mut lost = Vec::new();
    for (at, module) in sources.modules.iter().enumerate() {
        for named in &module.named {
            let inward = ["crate", "super", "keytrail"].contains(&named.segments[0].as_str());
            if inward && sources.resolve(at, &named.segments).is_none() {
                let file = sources.files[module.file].display();
                lost.push(format!("{file}:{}: {}", named.line, named.segments.join("::")));
            }
        }
    }
    lost
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module of the first level that a file belongs to; `main` is the command line.
fn top(file: &Path) -> String {
    let first = file.iter().next().expect("a name").to_string_lossy();
    let name = first.trim_end_matches(".rs");
    if name == "main" { "cli" } else { name }.to_owned()
}

fn upward(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    for used in uses(sources) {
        let [from, to] = [used.from, used.to].map(|file| &sources.files[file]);
        let [own, other] = [from, to].map(|file| top(file));
        // lib.rs is above all, for it names them all.
        if own == other || own == "lib" {
            continue;
        }
        let allowed = match (layer_of(&own), layer_of(&other)) {
            (Some(own), Some(other)) => other <= own,
            _ => false,
        };
        if !allowed {
            wrong.push(format!(
                "{}:{}: '{own}' must not use '{other}' ({})",
                from.display(),
                used.line,
                used.path
            ));
        }
    }
    wrong.sort();
    wrong
}

/// Groups of files that use each other. A child that uses its own parent module is no circle.
fn circles(sources: &Sources) -> Vec<Vec<PathBuf>> {
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: Vec<_> = (0..sources.files.len())
        .map(|file| graph.add_node(file))
        .collect();
    for used in uses(sources) {
        if sources.parent_file(used.from) != Some(used.to) {
            graph.update_edge(nodes[used.from], nodes[used.to], ());
        }
    }
    let mut found = Vec::new();
    for circle in tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1) {
        let mut files: Vec<_> = circle
            .iter()
            .map(|node| sources.files[graph[*node]].clone())
            .collect();
        files.sort();
        found.push(files);
    }
    found.sort();
    found
}

/// Places outside `cli` and `main` that print or read what only these may.
fn talking(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, module) in sources.modules.iter().enumerate() {
        let file = &sources.files[module.file];
        if top(file) == "cli" {
            continue;
        }
        for named in &module.named {
            let path = match sources.resolve(at, &named.segments) {
                Some(Target::Foreign(path)) => path.join("::"),
                _ => named.segments.join("::"),
            };
            let macro_name = path.trim_start_matches("std::");
            if TALKING.contains(&path.as_str()) || named.is_macro && PRINTING.contains(&macro_name) {
                wrong.push(format!("{}:{}: {path}", file.display(), named.line));
            }
        }
    }
    wrong
}

fn rust_files(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.insert(path);
        }
    }
}

#[test]
fn modules_use_only_lower_layers() {
    let wrong = upward(&CRATES[0]);
    assert!(wrong.is_empty(), "layering broken:\n{}", wrong.join("\n"));
}

/// Which file of a circle uses which, with the first line and all names.
fn told(sources: &Sources, circle: &[PathBuf]) -> String {
    let mut lines: BTreeMap<(usize, usize), (usize, BTreeSet<String>)> = BTreeMap::new();
    for used in uses(sources) {
        let within = [used.from, used.to].map(|file| circle.contains(&sources.files[file]));
        if within == [true, true] && sources.parent_file(used.from) != Some(used.to) {
            let (line, names) = lines
                .entry((used.from, used.to))
                .or_insert((used.line, BTreeSet::new()));
            *line = used.line.min(*line);
            names.insert(used.path.rsplit("::").next().expect("a name").to_owned());
        }
    }
    let mut text = format!("{} files of {}:\n", circle.len(), sources.dir.display());
    for ((from, to), (line, names)) in lines {
        let [from, to] = [from, to].map(|file| sources.files[file].display());
        let names: Vec<String> = names.into_iter().collect();
        let _ = writeln!(text, "  {from}:{line} uses of {to}: {}", names.join(", "));
    }
    text
}

#[test]
fn no_circle_among_files() {
    let known = |circle: &[PathBuf]| {
        let below = |file: &PathBuf, paths: &[&str]| paths.iter().any(|path| file.starts_with(path));
        let all_below = |paths: &&[&str]| circle.iter().all(|file| below(file, paths));
        KNOWN_CIRCLES.iter().any(all_below)
    };
    let mut new = String::new();
    for sources in CRATES.iter() {
        for circle in circles(sources).iter().filter(|circle| !known(circle)) {
            new += &told(sources, circle);
        }
    }
    assert!(new.is_empty(), "files that use each other:\n{new}");
}

#[test]
fn every_source_file_is_read() {
    for sources in CRATES.iter() {
        let mut there = BTreeSet::new();
        rust_files(&sources.dir, &mut there);
        let read: BTreeSet<PathBuf> = sources
            .files
            .iter()
            .chain(&sources.test_files)
            .map(|file| sources.dir.join(file))
            .collect();
        assert_eq!(there, read, "a file that no `mod` names is never built");
        let lost = lost(sources);
        assert!(lost.is_empty(), "paths that lead nowhere:\n{}", lost.join("\n"));
    }
    let own = &CRATES[0];
    assert!(
        own.files.len() > 200 && own.test_files.len() > 20,
        "the sources were not found"
    );
}

#[test]
fn only_cli_and_main_print_or_read_the_environment() {
    let wrong: Vec<String> = CRATES.iter().flat_map(talking).collect();
    assert!(
        wrong.is_empty(),
        "only cli talks to people:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn architecture_document_names_every_module() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let named: BTreeMap<&str, bool> = LAYERS
        .iter()
        .flat_map(|layer| layer.iter())
        .map(|module| (*module, text.contains(&format!("`{module}`"))))
        .collect();
    let missing: Vec<_> = named
        .iter()
        .filter(|(_, there)| !**there)
        .map(|(module, _)| *module)
        .collect();
    assert!(
        missing.is_empty(),
        "docs/architecture.md does not name: {missing:?}"
    );
    // Modules without a file of their own are other names for what other crates have.
    let own = &CRATES[0];
    let without: Vec<_> = own.modules[0]
        .children
        .iter()
        .filter(|(_, module)| own.modules[**module].file != own.modules[0].file)
        .map(|(name, _)| name)
        .filter(|name| layer_of(name).is_none())
        .collect();
    assert!(without.is_empty(), "modules without a layer: {without:?}");
}
