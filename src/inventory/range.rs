//! Ranges in host names: `leaf[001-250]` is 250 hosts.

use super::yaml::clip;

/// The most hosts an inventory may have.
pub const MAX_HOSTS: u64 = 1_000_000;

/// A name as written, taken apart: literal texts and ranges in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern<'a> {
    /// What comes before the first range: the whole name when there is none.
    head: &'a str,
    /// Each range with the literal text behind it.
    ranges: Vec<(Range, &'a str)>,
}

/// One `[first-last]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u32,
    last: u32,
    /// Digits a counter has at least, filled with zeros.
    width: usize,
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// No closing bracket, or one too many.
    #[error("the brackets of '{0}' do not match")]
    Brackets(String),
    /// Not two numbers.
    #[error("'[{0}]' is no range")]
    NoNumbers(String),
    /// The last number is less than the first.
    #[error("the range '[{0}]' runs backwards")]
    Backwards(String),
    /// `[1-2][3-4]`: whose digit is whose?
    #[error("two ranges need a letter, dot or dash between them")]
    Adjacent,
}

impl<'a> Pattern<'a> {
    /// Takes a name apart.
    ///
    /// # Errors
    /// Brackets that do not match, or hold no range.
    pub fn parse(name: &'a str) -> Result<Self, RangeError> {
        let brackets = || RangeError::Brackets(clip(name).into_owned());
        let mut parts = name.split('[');
        let head = parts.next().unwrap_or_default();
        let mut ranges: Vec<(Range, &str)> = Vec::new();
        for part in parts {
            let (range, literal) = part.split_once(']').ok_or_else(brackets)?;
            if ranges
                .last()
                .is_some_and(|(_, between)| between.bytes().all(|b| b.is_ascii_digit()))
            {
                return Err(RangeError::Adjacent);
            }
            ranges.push((Range::parse(range)?, literal));
        }
        let pattern = Self { head, ranges };
        if pattern.literals().any(|literal| literal.contains(']')) {
            return Err(brackets());
        }
        Ok(pattern)
    }

    /// Whether it is a plain name.
    pub fn is_plain(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many names it stands for.
    pub fn count(&self) -> u64 {
        let counts = self
            .ranges
            .iter()
            .map(|(range, _)| u64::from(range.last - range.first) + 1);
        counts.fold(1, u64::saturating_mul)
    }

    /// Calls `each` with every name, the last range running fastest.
    pub fn for_each(&self, mut each: impl FnMut(&str)) {
        let mut name = self.head.to_owned();
        descend(&self.ranges, &mut name, &mut each);
    }

    /// The literal texts before, between and behind the ranges.
    pub fn literals(&self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.head).chain(self.ranges.iter().map(|(_, literal)| *literal))
    }

    /// How many ranges it has.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }
}

/// Appends every name that the ranges make to `name`.
fn descend(ranges: &[(Range, &str)], name: &mut String, each: &mut impl FnMut(&str)) {
    use std::fmt::Write;
    let Some(((range, literal), rest)) = ranges.split_first() else {
        each(name);
        return;
    };
    let len = name.len();
    for counter in range.first..=range.last {
        // Writing into a String cannot fail.
        let _ = write!(name, "{counter:0width$}{literal}", width = range.width);
        descend(rest, name, each);
        name.truncate(len);
    }
}

impl Range {
    fn parse(text: &str) -> Result<Self, RangeError> {
        let number = |digits: &str| {
            let plausible = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            plausible.then(|| digits.parse::<u32>().ok()).flatten()
        };
        let no_numbers = || RangeError::NoNumbers(clip(text).into_owned());
        let (from, to) = text.split_once('-').ok_or_else(no_numbers)?;
        let (first, last) = (
            number(from).ok_or_else(no_numbers)?,
            number(to).ok_or_else(no_numbers)?,
        );
        if last < first {
            return Err(RangeError::Backwards(clip(text).into_owned()));
        }
        let width = if from.starts_with('0') { from.len() } else { 1 };
        Ok(Self { first, last, width })
    }
}

/// The counters of `name` as a host of `pattern`: one text per `[…]` in the pattern.
/// Empty when the pattern has no range or the name is not of it.
pub fn counters<'a>(pattern: &str, name: &'a str) -> Vec<&'a str> {
    let Ok(pattern) = Pattern::parse(pattern) else {
        return Vec::new();
    };
    let Some(mut rest) = name.strip_prefix(pattern.head) else {
        return Vec::new();
    };
    let mut found = Vec::with_capacity(pattern.ranges.len());
    for (_, literal) in &pattern.ranges {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        // A digit right behind the range belongs to the pattern, not to the counter.
        let foreign = literal.bytes().take_while(u8::is_ascii_digit).count();
        let Some(len) = digits.checked_sub(foreign).filter(|&len| len > 0) else {
            return Vec::new();
        };
        found.push(&rest[..len]);
        rest = match rest[len..].strip_prefix(literal) {
            Some(rest) => rest,
            None => return Vec::new(),
        };
    }
    if rest.is_empty() { found } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(pattern: &str) -> Vec<String> {
        let mut names = Vec::new();
        Pattern::parse(pattern)
            .unwrap()
            .for_each(|name| names.push(name.to_owned()));
        names
    }

    #[test]
    fn expands_with_and_without_leading_zeros() {
        assert_eq!(names("mort"), ["mort"]);
        assert_eq!(names("h[8-11]"), ["h8", "h9", "h10", "h11"]);
        assert_eq!(names("h[08-11].x"), ["h08.x", "h09.x", "h10.x", "h11.x"]);
        assert_eq!(names("r[1-2]h[1-2]"), ["r1h1", "r1h2", "r2h1", "r2h2"]);
    }

    #[test]
    fn refuses_what_is_no_range() {
        for (pattern, error) in [
            ("h[1-", RangeError::Brackets("h[1-".into())),
            ("h1-2]", RangeError::Brackets("h1-2]".into())),
            ("h[a-b]", RangeError::NoNumbers("a-b".into())),
            ("h[]", RangeError::NoNumbers(String::new())),
            ("h[1-9999999999]", RangeError::NoNumbers("1-9999999999".into())),
            ("h[9-1]", RangeError::Backwards("9-1".into())),
            ("h[1-2][1-2]", RangeError::Adjacent),
            ("h[1-2]7[1-2]", RangeError::Adjacent),
        ] {
            assert_eq!(Pattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn counts_without_expanding() {
        let huge = Pattern::parse("a[0-999999999]b[0-999999999]c[0-999999999]").unwrap();
        assert!(huge.count() > MAX_HOSTS);
    }

    #[test]
    fn takes_the_counters_out_of_a_name() {
        assert_eq!(counters("leaf[001-250]", "leaf042"), ["042"]);
        assert_eq!(
            counters("r[1-3]h[01-20].example.org", "r2h07.example.org"),
            ["2", "07"]
        );
        assert_eq!(counters("n[1-9]5", "n75"), ["7"]);
        assert!(counters("mort", "mort").is_empty());
        assert!(counters("leaf[1-9]", "leaf1x").is_empty());
    }

    proptest! {
        #[test]
        fn every_name_gives_its_counters_back(
            head in "[a-z]{1,4}[0-9]{0,2}[a-z]", between in "[a-z.-][a-z0-9.-]{0,3}", tail in "([0-9]{0,2}\\.x)?",
            first in 0u32..1200, many in 0u32..12, width in 0usize..5,
        ) {
            let last = first + many;
            let pattern = format!("{head}[{first:0width$}-{last}]{between}[1-3]{tail}");
            let expanded = names(&pattern);
            prop_assert_eq!(expanded.len() as u64, Pattern::parse(&pattern).unwrap().count());
            for (i, name) in expanded.iter().enumerate() {
                let counters = counters(&pattern, name);
                prop_assert_eq!(counters.len(), 2);
                let i = u32::try_from(i).unwrap();
                prop_assert_eq!(counters[0].parse::<u32>().unwrap(), first + i / 3);
                prop_assert_eq!(counters[1].parse::<u32>().unwrap(), 1 + i % 3);
            }
            let distinct: std::collections::HashSet<_> = expanded.iter().collect();
            prop_assert_eq!(distinct.len(), expanded.len());
        }

        #[test]
        fn any_text_is_answered(pattern in "[a-z0-9\\[\\]\\-]{0,20}", name in "[a-z0-9]{0,20}") {
            let _ = Pattern::parse(&pattern).map(|pattern| pattern.count());
            let _ = counters(&pattern, &name);
        }
    }
}
