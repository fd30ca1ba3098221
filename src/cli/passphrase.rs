//! Asking a person for a passphrase on the terminal, unseen.

use crate::ops::{Error, Result};
use crate::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};

/// What was typed; `None` if there is no terminal.
pub fn ask(prompt: &str) -> Result<Option<Secret>> {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    let failed = |error: std::io::Error| Error::new("cannot ask for the passphrase").because(&error);
    let quiet = Quiet::new(&terminal).map_err(failed)?;
    (&terminal).write_all(prompt.as_bytes()).map_err(failed)?;
    let typed = line(&mut BufReader::new(&terminal).bytes().map_while(Result::ok));
    let _ = (&terminal).write_all(b"\n");
    drop(quiet);
    match typed {
        Some(typed) => Ok(Some(typed)),
        None => Err(Error::new("no passphrase was given; nothing was changed")),
    }
}

/// A terminal that shows nothing and delivers every key, Ctrl-C too: as it was before, once this is dropped.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn new(terminal: &'t File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// The line that keys make; `None`: given up.
fn line(keys: &mut dyn Iterator<Item = u8>) -> Option<Secret> {
    const INTERRUPT: u8 = 3;
    const END: u8 = 4;
    const BACKSPACE: u8 = 8;
    const KILL_LINE: u8 = 21;
    const DELETE: u8 = 127;
    let mut typed = zeroize::Zeroizing::new(Vec::with_capacity(256));
    for key in keys {
        match key {
            b'\r' | b'\n' => return Some(Secret::new(typed.as_slice())),
            INTERRUPT | END => return None,
            KILL_LINE => typed.clear(),
            BACKSPACE | DELETE => {
                // A whole character of UTF-8.
                while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            _ => typed.push(key),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_keys_make() {
        let typed = |keys: &str| line(&mut keys.bytes()).map(|line| line.expose().to_vec());
        assert_eq!(typed("correct horse\r").as_deref(), Some(&b"correct horse"[..]));
        assert_eq!(typed("xy\u{8}\u{7f}ab\n").as_deref(), Some(&b"ab"[..]));
        assert_eq!(typed("grün\u{7f}\u{7f}\n").as_deref(), Some(&b"gr"[..]));
        assert_eq!(typed("wrong\u{15}right\n").as_deref(), Some(&b"right"[..]));
        assert_eq!(typed("half\u{3}\n"), None);
        assert_eq!(typed("half"), None);
    }
}
