//! Filestamps, which differ from run to run.

/// The text with a word in place of each filestamp: ten digits in a row are one.
pub fn without_stamps(text: &str, word: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        shown.push_str(if digits.len() == 10 { word } else { &digits });
        digits.clear();
        if c != '\0' {
            shown.push(c);
        }
    }
    shown
}
