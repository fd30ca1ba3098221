//! Numbers of things in sentences.

use std::fmt::Display;

/// `1 host`, `8 hosts`, `2 copies`: the number with the noun, given in the singular.
pub fn counted<N: Copy + Display + From<u8> + PartialEq>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn says_one_and_many() {
        assert_eq!(counted(1_u64, "host"), "1 host");
        assert_eq!(counted(0_usize, "host"), "0 hosts");
        assert_eq!(counted(250_u32, "copy"), "250 copies");
        assert_eq!(counted(2_u64, "day"), "2 days");
    }
}
