use super::*;
use Implementation::{Chrony, NtpOrg, Ntpsec};

fn orders(daemon: Implementation, before: &str, after: &str) -> Result<Vec<String>, String> {
    let (before, after) = (Secret::from(before), Secret::from(after));
    let replaced = Replaced {
        before: Some(&before),
        after: &after,
    };
    let changes = changes(daemon, true, &[replaced])?;
    Ok(changes.iter().map(ToString::to_string).collect())
}

const BEFORE: &str = "# here\nkeys /k\ntrustedkey 7 9\ncontrolkey 9\nserver 10.0.0.1 key 7 iburst\nserver 10.0.0.2 key 7\ncrypto pw secret\n";

#[test]
fn a_new_id_is_read_and_trusted() {
    let after = BEFORE.replace("trustedkey 7 9", "trustedkey (7 ... 9)");
    let expected = ["read the key file again", "trust keys (7 ... 9)"];
    assert_eq!(orders(Ntpsec, BEFORE, &after).unwrap(), expected);
    let chrony = "keyfile /k\nserver 10.0.0.1 key 7\n";
    assert_eq!(
        orders(Chrony, chrony, chrony).unwrap(),
        ["read the key file again"]
    );
}

#[test]
fn servers_change_one_after_the_other_each_dropped_first() {
    let after = BEFORE
        .replace("key 7", "key 8")
        .replace("trustedkey 7", "trustedkey 8");
    let expected = [
        "read the key file again",
        "trust keys 8 9",
        "drop 10.0.0.1",
        "server 10.0.0.1 key 8 iburst",
        "drop 10.0.0.2",
        "server 10.0.0.2 key 8",
    ];
    assert_eq!(orders(NtpOrg, BEFORE, &after).unwrap(), expected);
    // A file of the same lines elsewhere, another order and comments are no change.
    let moved = "server 10.0.0.2 key 7\n#\n".to_owned() + &BEFORE.replace("server 10.0.0.2 key 7\n", "");
    assert_eq!(
        orders(NtpOrg, BEFORE, &moved).unwrap(),
        ["read the key file again"]
    );
}

#[test]
fn what_only_a_start_reads_is_named_and_no_secret_with_it() {
    for (from, to, word) in [
        ("pw secret", "pw other", "`crypto`"),
        ("controlkey 9", "controlkey 7", "`controlkey`"),
        ("keys /k", "keys /l", "`keys`"),
        ("# here", "server 127.127.1.0", "`server`"),
        ("# here", "restrict 1.2.3.4", "`restrict`"),
    ] {
        let why = orders(NtpOrg, BEFORE, &BEFORE.replace(from, to)).unwrap_err();
        assert!(why.contains(word) && !why.contains("secret"), "{why}");
    }
    let why = orders(Chrony, "allow 10.0.0.1\n", "allow 10.0.0.2\n").unwrap_err();
    assert!(why.contains("`allow`"), "{why}");
}

#[test]
fn who_cannot_be_told_has_a_reason() {
    let file = Secret::from("server a\n");
    let new = |daemon, control: Option<&str>, path| {
        let control = control.map(Secret::from);
        let replaced = [Replaced {
            before: Some(&file),
            after: &file,
        }];
        Telling::new(
            daemon,
            control.as_ref().map(|key| (9, key)),
            path,
            true,
            &replaced,
        )
    };
    assert!(new(Chrony, None, "/k").is_ok());
    assert!(
        new(Ntpsec, Some("a\"b"), "/k").is_ok(),
        "it reads the file itself"
    );
    for (daemon, control, path, why) in [
        (NtpOrg, None, "/k", "no `keys: { control: ID }`"),
        (NtpOrg, Some("a\"b"), "/k", "control key 9"),
        (NtpOrg, Some("a\nb"), "/k", "control key 9"),
        (NtpOrg, Some("ab"), "/a\"b", "name of its key file"),
        (Implementation::Openvms, Some("ab"), "/k", "OpenVMS"),
    ] {
        let said = new(daemon, control, path).unwrap_err();
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("a\"b") && !said.contains("a\nb"), "{said}");
    }
}

fn telling(daemon: Implementation, changes: &[Change]) -> Telling {
    Telling {
        daemon,
        control: Some(9),
        keys: "/etc/it's".into(),
        changes: changes.to_vec(),
    }
}

#[test]
fn orders_are_quoted_given_and_asked_about() {
    let changes = [
        Change::Reread,
        Change::Trust { ids: "8 9".into() },
        Change::Drop {
            address: "10.0.0.1".into(),
        },
        Change::Add {
            line: "server 10.0.0.1 autokey ident red2".into(),
        },
        Change::Drop {
            address: "10.0.0.2".into(),
        },
    ];
    let tail = |daemon| {
        let text = telling(daemon, &changes).command();
        text[text.find("\ndaemon=").unwrap() + 1..].to_owned()
    };
    assert_eq!(
        tail(NtpOrg),
        r#"daemon='ntp.org' control='9' keys='/etc/it'\''s'
begin_ntpd
order 'keys "/etc/it'\''s"'
order 'trustedkey 8 9'
order 'unpeer 10.0.0.1'
order 'server 10.0.0.1 autokey ident red2'
order 'unpeer 10.0.0.2'
made_ntpd '10.0.0.1' 'ident=red2'
gone_ntpd '10.0.0.2'
echo told
"#
    );
    assert!(tail(Ntpsec).starts_with("daemon='ntpsec'"));
    assert_eq!(
        tail(Chrony),
        r"daemon='chrony' control='9' keys='/etc/it'\''s'
begin_chronyd
tell rekey
tell 'delete 10.0.0.1'
tell 'add server 10.0.0.1 autokey ident red2'
tell 'delete 10.0.0.2'
has_keys
:
echo told
"
    );
}

#[test]
fn a_telling_survives_being_stored() {
    let telling = telling(Ntpsec, &[Change::Reread, Change::Trust { ids: "7".into() }]);
    let text = serde_json::to_string(&telling).unwrap();
    assert!(text.contains(r#"{"change":"reread"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Telling>(&text).unwrap(), telling);
}
