//! The key that an ntpd takes changes with.

use super::{KeyFiles, LiveUpdate, changes::lines};
use crate::inventory::{Implementation, KeyType};
use crate::plan::Observed;
use crate::secret::Secret;
use std::collections::BTreeSet;

/// Longest text that a key file, and the ntpq of every 4.2.8, read as text; longer ones are hexadecimal digits (source of
/// 4.2.8p15 and p18).
const LONGEST_TEXT: usize = 20;

/// The key that a daemon takes changes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its id: `controlkey`.
    pub id: u32,
    /// Its type.
    pub kind: KeyType,
    /// Its value.
    pub key: Secret,
}

impl Control {
    /// Whether this key can be used: ntpq of ntp.org takes it as a word of a command, and knows few types; NTPsec's reads it
    /// from the key file. (At a prompt it takes any bytes, but linked with libedit it then loses the commands behind them.)
    ///
    /// # Errors
    /// Why not, in words.
    pub fn usable(&self, daemon: Implementation) -> Result<(), String> {
        if daemon != Implementation::NtpOrg {
            return Ok(());
        }
        if !matches!(
            self.kind,
            KeyType::Md5 | KeyType::Sha1 | KeyType::Ripemd160 | KeyType::Aes128Cmac
        ) {
            return Err(format!(
                "ntpq cannot use a control key of type {}: MD5, SHA1 and AES-128-CMAC it can",
                self.kind.as_str()
            ));
        }
        let word = |byte: &u8| byte.is_ascii_graphic() && !b"\"#".contains(byte);
        let key = self.key.expose();
        if key.is_empty() || key.len() > LONGEST_TEXT || !key.iter().all(word) {
            return Err(format!(
                "ntpq cannot be given control key {}, which is not a word of up to {LONGEST_TEXT} printable characters: \
                 rotate it (keytrail rotate symmetric --key {})",
                self.id, self.id
            ));
        }
        Ok(())
    }
}

/// The id by which the running daemon takes orders. `Err`: why none can be given.
pub(super) fn of_running(
    observed: &Observed,
    keys: &KeyFiles,
    told: &LiveUpdate<'_>,
    changed: &BTreeSet<u16>,
) -> Result<u16, String> {
    let confs = observed.conf.iter().filter(|(path, _)| *path != told.keys_file);
    let mut words = confs
        .filter_map(|(_, content)| lines(content).ok())
        .flatten()
        .filter_map(|line| line.strip_prefix("controlkey"))
        .filter(|rest| rest.starts_with([' ', '\t']));
    let Some(id) = words.next_back() else {
        return Err(
            "it has no control key, with which a running ntpd is told (keys: { control: ID })".to_owned(),
        );
    };
    let id = id.trim();
    let known = id.parse().ok();
    let key = keys.after.keys.iter().map(|(_, key)| key);
    let Some(key) = key.clone().find(|key| Some(key.id) == known) else {
        return Err(format!("its control key {} goes", id.escape_debug()));
    };
    // It would be asked with the new value before it has read it.
    if changed.contains(&key.id) {
        return Err(format!("its control key {} changes under its own id", key.id));
    }
    let control = Control {
        id: key.id.into(),
        kind: key.kind,
        key: key.secret.clone(),
    };
    control.usable(told.daemon)?;
    Ok(key.id)
}
