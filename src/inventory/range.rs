//! Ranges in host names: `leaf[001-250]` is 250 hosts.

/// The counters of `name` as a host of `pattern`: one text per `[…]` in the pattern.
/// Empty when the pattern has no range or the name is not of it.
pub fn counters<'a>(pattern: &str, name: &'a str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest = name;
    let mut pattern = pattern;
    while let Some(open) = pattern.find('[') {
        let Some(close) = pattern[open..].find(']').map(|at| open + at) else {
            return Vec::new();
        };
        let Some(after) = rest.strip_prefix(&pattern[..open]) else {
            return Vec::new();
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        // A digit right behind the range belongs to the pattern, not to the counter.
        let literal = pattern[close + 1..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let Some(len) = digits.checked_sub(literal).filter(|&len| len > 0) else {
            return Vec::new();
        };
        found.push(&after[..len]);
        rest = &after[len..];
        pattern = &pattern[close + 1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::counters;

    #[test]
    fn takes_the_counters_out_of_a_name() {
        assert_eq!(counters("leaf[001-250]", "leaf042"), ["042"]);
        assert_eq!(
            counters("r[1-3]h[01-20].example.org", "r2h07.example.org"),
            ["2", "07"]
        );
        assert_eq!(counters("n[1-9]5", "n75"), ["7"]);
        assert!(counters("mort", "mort").is_empty());
    }
}
