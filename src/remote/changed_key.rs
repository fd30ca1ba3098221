//! What `ssh` says when a host presents another key than the known one, in one sentence and one advice.

use super::Unreachable;

/// That another key is known, from ssh's many lines about it; of a jump host where that is the one.
pub(super) fn changed(log: &str) -> Option<Unreachable> {
    if !log.contains("HOST IDENTIFICATION HAS CHANGED") {
        return None;
    }
    let word = |before: &str, after: &str| {
        log.lines()
            .find_map(|line| Some(line.trim().split_once(before)?.1.split_once(after)?.0.to_owned()))
    };
    let name = word("Host key for ", " has changed");
    let kind = word("fingerprint for the ", " key sent").unwrap_or_else(|| "another".to_owned());
    let presented = log
        .lines()
        .map(|line| line.trim().trim_end_matches('.'))
        .find(|line| line.starts_with("SHA256:"));
    let offending = log
        .lines()
        .find_map(|line| line.trim().strip_prefix("Offending ")?.split_once(" key in "));
    let (known, file) = match offending.map(|(_, place)| (place, place.rsplit_once(':'))) {
        Some((place, Some((file, _)))) => (place, file),
        _ => ("known_hosts", "~/.ssh/known_hosts"),
    };
    let name = name.unwrap_or_else(|| "NAME".to_owned());
    Some(Unreachable::HostKeyChanged {
        why: format!(
            "it presents the {kind} key{}, and {known} has another one for {name}",
            presented.map_or(String::new(), |key| format!(" {key}"))
        ),
        help: format!(
            "somebody may be in between, or the host was installed anew: compare with `ssh-keygen -lf` on the host's console; \
             only if it is the host's own: ssh-keygen -R '{name}' -f '{file}', then keytrail hostkeys --add"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_key_where_and_how_to_forget_the_old() {
        let said = "@@@@@@@@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@@@@@@@\r\n\
                       IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n\
                       The fingerprint for the ED25519 key sent by the remote host is\r\nSHA256:abc+/1.\r\n\
                       Please contact your system administrator.\r\n\
                       Offending RSA key in /h/known_hosts:3\r\n\
                       Host key for [127.0.0.1]:2222 has changed and you have requested strict checking.\r\n\
                       Host key verification failed.\r\n";
        let refused = changed(said).expect("told");
        assert_eq!(
            refused.to_string(),
            "its SSH host key has changed: it presents the ED25519 key SHA256:abc+/1, and /h/known_hosts:3 has another one for \
             [127.0.0.1]:2222"
        );
        assert!(refused.help().contains("console"));
        assert!(
            refused
                .help()
                .contains("ssh-keygen -R '[127.0.0.1]:2222' -f '/h/known_hosts'")
        );
        // What it says may be cut short.
        let refused = changed("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!").expect("told");
        assert!(refused.help().contains("ssh-keygen -R 'NAME'"));
        assert_eq!(changed("Host key verification failed."), None);
    }
}
