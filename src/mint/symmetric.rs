//! Symmetric keys: decided once for all hosts that share them.

use super::decision::{Decision, DesiredSecret};
use super::desired_files::DesiredFiles;
use super::error::Problem;
use super::spec::Spec;
use super::work::Make;
use crate::inventory::{HostId, Implementation, Inventory, SymmetricKey as Declared};
use crate::media;
use crate::media::symmetric::{KeyType, SymmetricKey};
use crate::trail::needs::{Needs, symmetric_key};
use crate::vault::SecretKind;

/// Characters of a generated text key, as ntp-keygen makes them: ntp.org and NTPsec read more as hexadecimal digits.
const TEXT_KEY: usize = 20;
/// The same for keys that an OpenVMS host holds: the most its manual names.
const OPENVMS_TEXT_KEY: usize = 8;

/// The owner under which the vault keeps a symmetric key: its id, and its group where it has one (`7@green`).
pub fn symmetric_owner(inventory: &Inventory, key: &Declared) -> String {
    match key.group {
        Some(group) => format!("{}@{}", key.id, inventory.group(group).name),
        None => key.id.to_string(),
    }
}

impl DesiredFiles<'_, '_> {
    pub(super) fn symmetric_keys(&self, host: HostId, needs: &Needs, decision: &mut Decision<'_, '_>) {
        let inventory = self.request.inventory;
        for &id in &needs.symmetric_keys {
            // An id nobody declares is a finding of the trail rules.
            let Some(key) = symmetric_key(inventory, inventory.entry(host).group, id) else {
                continue;
            };
            let owner = symmetric_owner(inventory, key);
            if decision.is_decided(SecretKind::Symmetric, &owner) {
                continue;
            }
            match self.symmetric_key(key, id) {
                Ok((kind, make)) => {
                    let source = if key.value.is_some() { "given" } else { "generated" };
                    decision.secret(DesiredSecret {
                        kind: SecretKind::Symmetric,
                        owner: owner.into(),
                        spec: Spec::new().with("type", kind).with("from", source).finish(),
                        make,
                        host: None,
                    });
                }
                Err(mut problem) => {
                    problem.subject = format!("symmetric key {owner}");
                    // Once for all hosts that share it.
                    if !decision.problems.contains(&problem) {
                        decision.problems.push(problem);
                    }
                }
            }
        }
    }

    fn symmetric_key(&self, key: &Declared, id: u32) -> Result<(KeyType, Make), Problem> {
        // The subject is named by who asks, as the vault names it.
        let wrong = |error: media::Error| match error {
            media::Error::Refused { why, help, .. } => Problem::new("", why, help),
            other => Problem::media("", &other),
        };
        let kind = *key
            .kind
            .meaning()
            .map_err(|refused| wrong(refused.clone().into()))?;
        let id = u16::try_from(id)
            .map_err(|_| Problem::new("", "its id is above 65535", "choose an id from 1 to 65534"))?;
        if key.value.is_none() {
            let text = self.text_length(key, kind);
            return Ok((kind, Make::Symmetric { id, kind, text }));
        }
        let at = self.request.inventory.keys.position(key);
        let value = at
            .and_then(|at| self.request.given.keys.get(&at))
            .ok_or_else(|| Problem::new("", "its value was not given", "see where its 'value' comes from"))?;
        let key = SymmetricKey::given(id, kind, value).map_err(wrong)?;
        Ok((kind, Make::Given(key.secret)))
    }

    /// Characters of a generated key that is text: of an MD5 key, as many as every holder reads; of a key that an ntp.org
    /// daemon takes changes with, as ntpq can be given it. `None`: random bytes.
    fn text_length(&self, key: &Declared, kind: KeyType) -> Option<usize> {
        if kind == KeyType::Md5 {
            return Some(if self.on_openvms(key) {
                OPENVMS_TEXT_KEY
            } else {
                TEXT_KEY
            });
        }
        self.controls_ntp_org(key)
            .then(|| kind.exact_length().unwrap_or(TEXT_KEY))
            // More characters would be read as hexadecimal digits.
            .filter(|length| *length <= TEXT_KEY)
    }

    fn on_openvms(&self, key: &Declared) -> bool {
        let inventory = self.request.inventory;
        inventory.host_ids().any(|host| {
            let entry = inventory.entry(host);
            entry.settings.ntpd == Implementation::Openvms
                && (self.request.needs)(host).symmetric_keys.contains(&key.id)
                && symmetric_key(inventory, entry.group, key.id).is_some_and(|held| std::ptr::eq(held, key))
        })
    }

    /// Whether an ntp.org daemon takes changes with this key, or will when the rotation that brings it has switched to it.
    fn controls_ntp_org(&self, key: &Declared) -> bool {
        let inventory = self.request.inventory;
        inventory.entries.iter().any(|entry| {
            entry.settings.ntpd == Implementation::NtpOrg
                && entry.settings.control_key.is_some_and(|control| {
                    (control == key.id || Some(control) == key.succeeds)
                        && symmetric_key(inventory, entry.group, key.id)
                            .is_some_and(|held| std::ptr::eq(held, key))
                })
        })
    }
}
