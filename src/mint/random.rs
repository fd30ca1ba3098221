//! Passwords made here.

use crate::secret::Secret;
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHARACTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of a generated password: 24 characters, 142 bits.
pub const PASSWORD_LEN: usize = 24;

/// A random password of letters and digits, so that no `crypto pw` line, shell or form needs quotes. It begins
/// with a letter: ntp.conf takes a word of digits alone for a number, and refuses it as a password.
pub fn password() -> Result<Secret, ErrorStack> {
    let mut password = Zeroizing::new(Vec::with_capacity(PASSWORD_LEN));
    let mut bytes = Zeroizing::new([0; 64]);
    while password.len() < PASSWORD_LEN {
        openssl::rand::rand_bytes(&mut *bytes)?;
        for byte in bytes.iter() {
            let alphabet: &[u8] = if password.is_empty() { LETTERS } else { CHARACTERS };
            // Six bits choose; what lies beyond the alphabet is drawn again, so that all are equally likely.
            if let Some(character) = alphabet.get(usize::from(byte & 0x3f))
                && password.len() < PASSWORD_LEN
            {
                password.push(*character);
            }
        }
    }
    Ok(Secret::new(std::mem::take(&mut *password)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn passwords_are_safe_words_and_never_repeat() {
        let mut seen = HashSet::new();
        let mut used = HashSet::new();
        for _ in 0..500 {
            let word = password().unwrap();
            let text = word.expose_str().unwrap();
            assert_eq!(text.len(), PASSWORD_LEN);
            assert!(
                text.starts_with(|c: char| c.is_ascii_alphabetic()),
                "begins with a letter"
            );
            assert!(text.bytes().all(|c| c.is_ascii_alphanumeric()));
            used.extend(text.bytes());
            assert!(seen.insert(text.to_owned()));
        }
        assert_eq!(used.len(), CHARACTERS.len(), "every character comes up");
    }
}
