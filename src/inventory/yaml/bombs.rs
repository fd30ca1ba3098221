//! Small files that could cost much: whatever they nest, repeat or multiply, reading them ends, and on a small
//! stack. A reader that recursed as deep as a file nests, or took time with the square of its size, would not.

use crate::inventory::{LoadFailure, load_str};

/// The codes of all errors of a file, found out on a stack of 512 kB.
fn all_errors(text: String) -> Vec<&'static str> {
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let codes = thread.spawn(move || match load_str(&text) {
        Ok(_) => Vec::new(),
        Err(LoadFailure::Invalid { findings, .. }) => findings.iter().map(|finding| finding.code).collect(),
        Err(failure) => panic!("{failure}"),
    });
    codes.expect("a thread").join().expect("no panic")
}

fn first_error(text: String) -> Option<&'static str> {
    all_errors(text).first().copied()
}

/// What `line` says for 0 to `count`.
fn repeated(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// `version: 1` and [`repeated`].
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    format!("version: 1\n{}", repeated(count, line))
}

#[test]
fn nesting_does_not_take_the_stack() {
    const MANY: usize = 200_000;
    for (nested, code) in [
        ("[", "yaml-syntax"),
        ("{a: ", "yaml-syntax"),
        ("[\n", "yaml-syntax"),
        ("[? ", "yaml-syntax"),
        ("- ", "yaml-too-deep"),
        ("? ", "yaml-too-deep"),
        (": ", "yaml-too-deep"),
    ] {
        let text = format!("version: 1\nx-deep:\n  {}", nested.repeat(MANY));
        assert_eq!(first_error(text), Some(code), "{nested:?}");
    }
    let indented = lines(2_000, |level| format!("{}x-a:\n", " ".repeat(level)));
    assert_eq!(first_error(indented), Some("yaml-too-deep"));
}

/// Each mapping merges the one before: two levels of nesting, as deep as there are lines with aliases followed.
#[test]
fn neither_do_aliases_of_aliases() {
    let merged = lines(50_000, |at| match at {
        0 => "x-0: &a0 { k0: 0 }\n".to_owned(),
        at => format!("x-{at}: &a{at} {{ <<: *a{}, k{at}: 0 }}\n", at - 1),
    });
    assert_eq!(first_error(merged), Some("yaml-too-deep"));
    let listed = lines(50_000, |at| match at {
        0 => "x-0: &a0 [0]\n".to_owned(),
        at => format!("x-{at}: &a{at} [*a{}]\n", at - 1),
    });
    assert_eq!(first_error(listed), Some("yaml-too-deep"));
}

#[test]
fn aliases_multiply_within_bounds() {
    let doubled = lines(40, |at| match at {
        0 => "x-0: &a0 [0]\n".to_owned(),
        at => format!(
            "x-{at}: &a{at} [{}]\n",
            vec![format!("*a{}", at - 1); 9].join(", ")
        ),
    });
    assert_eq!(first_error(doubled), Some("alias-bomb"));
    let hosts = repeated(2_000, |at| format!("  h{at}: *large\n"));
    let text = format!(
        "version: 1\nx-large: &large [{}]\nhosts:\n{hosts}",
        "0, ".repeat(20_000)
    );
    assert!(all_errors(text).contains(&"alias-bomb"));
}

/// As many names as a large inventory has, where each is looked for among the others.
#[test]
fn large_mappings_are_merged_in_linear_time() {
    let hosts = repeated(100_000, |at| format!("  h{at}: {{}}\n"));
    let text =
        format!("version: 1\nx-hosts: &hosts\n{hosts}hosts:\n  <<: *hosts\n  more: {{}}\n  h7: {{}}\n");
    let inventory = load_str(&text).expect("loads");
    assert_eq!(inventory.hosts.len(), 100_001);
}

/// What is wrong with a mapping that many hosts merge is wrong once.
#[test]
fn an_unknown_field_behind_aliases_is_said_once() {
    let hosts = repeated(500, |at| format!("  h{at}: {{ <<: *x, tags: a }}\n"));
    let text = format!(
        "version: 1\nx-x: &x {{ colour: red }}\nhosts:\n{hosts}  h: {{ colour: blue }}\n  g: {{ colour: blue }}\n"
    );
    assert_eq!(all_errors(text), ["unknown-field"; 3]);
}
