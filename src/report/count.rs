//! Counting in words.

/// `1 host`, `8 hosts`.
pub fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix("copy")) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}copies"),
        (_, None) => format!("{count} {what}s"),
    }
}
