//! What benches that print tables of their own have in common.

// Each bench is a crate of its own and uses a part of it.
#![allow(dead_code)]

/// Whether to measure: `cargo test --benches` only wants to know that a bench builds and starts.
pub fn is_wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// A number that the environment may change.
pub fn setting<N: std::str::FromStr>(name: &str, default: N) -> N {
    std::env::var(name).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name} is a number"))
    })
}
