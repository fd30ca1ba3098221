//! The reader of sources is tried on crates in which everything is wrong that it is to find.

use super::{circles, talking, upward};
use crate::layering::sources::Sources;
use std::path::Path;

fn sources(files: &[(&str, &str)]) -> Sources {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    Sources::read(dir.path(), "keytrail")
}

const LIB: &str = "pub mod secret;\npub mod vault;\npub mod cli;\n";

#[test]
fn an_upward_use_is_found_however_it_is_written() {
    for secret in [
        "use crate::vault::Vault;",
        "use crate::{\n    cli,\n    vault::{\n        Vault,\n    },\n};",
        "use crate::vault as store;\nfn f(_: store::Vault) {}",
        "fn f() { let _ = crate::vault::Vault; }",
        "fn f() { assert!(matches!(1, _ if crate::vault::Vault::new())); }",
        "#[derive(Deserialize)]\nstruct S { #[serde(with = \"crate::vault::Vault\")] a: u8 }",
        "mod deep { use super::super::vault::*; fn f(_: Vault) {} }",
        "#[cfg(test)]\nmod tests {}\nuse crate::vault::Vault;",
        "#[cfg(any(test, unix))]\nuse crate::vault::Vault;",
        // By another name, given on by a module of its own layer.
        "pub use crate::vault::Vault as V;\nmod inner { fn f(_: super::V) {} }",
    ] {
        let found = upward(&sources(&[
            ("lib.rs", LIB),
            ("secret.rs", secret),
            ("vault/mod.rs", "mod model;\npub use model::Vault;"),
            ("vault/model.rs", "pub struct Vault;"),
            ("cli.rs", ""),
        ]));
        assert!(!found.is_empty(), "{secret}");
        assert!(found[0].contains("'secret' must not use 'vault'"), "{found:?}");
    }
}

#[test]
fn tests_may_use_what_is_above() {
    for secret in [
        "#[cfg(test)]\nmod tests { use crate::vault::Vault; }",
        "#[cfg(test)]\nuse crate::vault::Vault;",
        "#[cfg(all(test, unix))]\nfn f(_: crate::vault::Vault) {}",
        "struct S;\nimpl S { #[cfg(test)] fn f(_: crate::vault::Vault) {} }",
        "// use crate::vault::Vault;\n/// crate::vault::Vault\nfn f() {}",
    ] {
        let found = upward(&sources(&[
            ("lib.rs", LIB),
            ("secret.rs", secret),
            ("vault.rs", "pub struct Vault;"),
            ("cli.rs", ""),
        ]));
        assert_eq!(found, [""; 0], "{secret}");
    }
}

#[test]
fn a_file_of_tests_is_known_as_such() {
    let sources = sources(&[
        (
            "lib.rs",
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"odd_name.rs\"]\nmod more;",
        ),
        ("tests/mod.rs", "mod deeper;"),
        ("tests/deeper.rs", ""),
        ("odd_name.rs", ""),
    ]);
    let names: Vec<_> = sources
        .test_files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    assert_eq!(names, ["odd_name.rs", "tests/deeper.rs", "tests/mod.rs"]);
    assert_eq!(sources.files, [Path::new("lib.rs")]);
}

#[test]
fn circles_are_found_through_what_is_given_on() {
    let child_uses_parent = sources(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b;\npub struct P;\nfn f() { b::f() }"),
        ("a/b.rs", "pub fn f() { let _ = super::P; }"),
    ]);
    assert!(circles(&child_uses_parent).is_empty());

    // b and c know each other by what their parent gives on.
    let siblings = sources(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b;\nmod c;\nmod d;\npub use b::B;\npub use c::*;"),
        ("a/b.rs", "pub struct B;\nfn f(_: super::C) {}"),
        ("a/c.rs", "pub struct C;\nfn f(_: crate::a::B) {}"),
        ("a/d.rs", "use super::{B, C};"),
    ]);
    let found = circles(&siblings);
    assert_eq!(found, [["a/b.rs", "a/c.rs"].map(std::path::PathBuf::from)]);
}

#[test]
fn printing_is_found_by_any_name() {
    for text in [
        "fn f() { println!(); }",
        "fn f() { std::eprint!(\"\"); }",
        "fn f() { vec![dbg!(1)]; }",
        "use std::io;\nfn f() { io::stdin(); }",
        "use std::{env, fs};\nfn f() { let _ = env::var_os(\"HOME\"); }",
        "use std::env::var as look;\nfn f() { look(\"HOME\"); }",
        "#[cfg(test)]\nmod tests;\nfn f() { ::std::io::stdout(); }",
    ] {
        let files = [
            ("lib.rs", LIB),
            ("secret.rs", text),
            ("secret/tests.rs", ""),
            ("vault.rs", ""),
            ("cli.rs", ""),
        ];
        assert!(!talking(&sources(&files)).is_empty(), "{text}");
    }
    let quiet = "fn f(out: &mut impl std::io::Write, var: u8) { writeln!(out); let print = var; }";
    let files = [
        ("lib.rs", LIB),
        ("secret.rs", quiet),
        ("vault.rs", ""),
        ("cli.rs", "fn f() { println!(); }"),
    ];
    assert!(talking(&sources(&files)).is_empty());
}
