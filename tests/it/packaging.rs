//! The Debian package: what `Cargo.toml` lists is there, what belongs in it is listed, and the Makefile makes the rest.

use globset::Glob;
use std::fs;
use std::path::{Path, PathBuf};

struct Asset {
    source: String,
    to: String,
    mode: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> String {
    fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml")
}

fn assets() -> Vec<Asset> {
    let manifest = manifest();
    let (_, rest) = manifest.split_once("\nassets = [\n").expect("assets");
    let list = rest.split("\n]").next().expect("an end");
    list.lines()
        .map(|line| {
            let words: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            let [source, to, mode] = words[..] else {
                panic!("not three words: {line}")
            };
            Asset {
                source: source.into(),
                to: to.into(),
                mode: mode.into(),
            }
        })
        .collect()
}

/// The files below a directory, relative to the project's root.
fn files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(below)).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root()).expect("below").to_owned();
        if path.is_dir() {
            found.extend(files(name.to_str().expect("a name")));
        } else {
            found.push(name);
        }
    }
    found
}

fn takes(asset: &Asset, file: &Path) -> bool {
    Glob::new(&asset.source)
        .expect("a glob")
        .compile_matcher()
        .is_match(file)
}

#[test]
fn what_belongs_in_the_package_is_listed() {
    let assets = assets();
    let mut belongs: Vec<PathBuf> = ["docs", "examples", "inventories"]
        .iter()
        .flat_map(|dir| files(dir))
        .collect();
    belongs.extend(["README.md", "CHANGELOG.md"].map(PathBuf::from));
    for file in &belongs {
        assert!(
            assets.iter().any(|asset| takes(asset, file)),
            "not packaged: {}",
            file.display()
        );
    }
    for asset in assets.iter().filter(|asset| !asset.source.starts_with("target/")) {
        assert!(
            belongs.iter().any(|file| takes(asset, file)),
            "nothing is {}",
            asset.source
        );
    }
}

#[test]
fn what_is_made_for_the_package_is_made_by_the_makefile() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("Makefile");
    let (_, pages) = makefile.split_once("\npages:").expect("pages");
    let pages = pages.split("\n\n").next().expect("an end");
    for asset in assets()
        .iter()
        .filter(|asset| asset.source.starts_with("target/"))
    {
        let made = asset.source.trim_end_matches("/*.1");
        assert!(pages.contains(made), "{} is not made", asset.source);
    }
    assert!(makefile.contains("\ndeb: pages"));
}

#[test]
fn everything_goes_where_debian_looks_for_it() {
    for Asset { source, to, mode } in assets() {
        let program = to == "usr/bin/";
        assert_eq!(mode, if program { "755" } else { "644" }, "{source}");
        let place = match source.as_str() {
            "target/release/keytrail" => "usr/bin/",
            "target/man/*.1" => "usr/share/man/man1/",
            "target/completions/keytrail.bash" => "usr/share/bash-completion/completions/keytrail",
            "target/completions/_keytrail" => "usr/share/zsh/vendor-completions/",
            "target/completions/keytrail.fish" => "usr/share/fish/vendor_completions.d/",
            _ => "usr/share/doc/keytrail/",
        };
        assert!(to.starts_with(place), "{source} goes to {to}");
    }
    // Links of README.md and docs/*.md lead to each other in the package as in the project.
    let docs = assets()
        .into_iter()
        .find(|asset| asset.source == "docs/*.md")
        .expect("docs");
    assert_eq!(docs.to, "usr/share/doc/keytrail/docs/");
    // Nobody is named who does not answer: whoever builds it is its maintainer.
    assert!(
        !manifest().contains("\nmaintainer"),
        "the Makefile names the maintainer"
    );
}
