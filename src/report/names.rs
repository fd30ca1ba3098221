//! Names in a sentence.

/// The first `most` names, and how many more there are: `a, b and 3 more`.
pub fn names<N: AsRef<str>>(all: impl IntoIterator<Item = N>, most: usize) -> String {
    let mut all = all.into_iter();
    let shown: Vec<N> = all.by_ref().take(most).collect();
    let shown: Vec<&str> = shown.iter().map(AsRef::as_ref).collect();
    match all.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted() {
        assert_eq!(names(["a", "b"], 2), "a, b");
        assert_eq!(names(["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(names::<&str>([], 2), "");
    }
}
