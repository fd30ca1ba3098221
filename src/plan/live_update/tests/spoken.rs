//! How the daemon is spoken to: with which key, and what goes over to its ntpq.

use super::*;

#[test]
fn a_key_that_ntpq_cannot_be_given_is_refused_with_what_to_do() {
    let key = |kind, bytes: &[u8]| Control {
        id: 9,
        kind,
        key: Secret::new(bytes),
    };
    let refused = |control: Control| control.usable(NtpOrg).expect_err("refused");
    for bytes in [
        &b"abc\ndef"[..],
        b"a b",
        b"a\"b",
        b"a#b",
        b"\x01\xfe",
        b"a text of 21 symbols.",
        b"",
    ] {
        let why = refused(key(KeyType::Sha1, bytes));
        assert!(
            why.contains("rotate it (keytrail rotate symmetric --key 9)"),
            "{why}"
        );
    }
    assert!(refused(key(KeyType::Sha256, b"abc")).contains("type SHA256"));
    assert_eq!(key(KeyType::Md5, b"abc").usable(NtpOrg), Ok(()));
    assert_eq!(
        key(KeyType::Sha256, b"a\nc").usable(Ntpsec),
        Ok(()),
        "it reads the file"
    );
}

/// The command against an ntpq of our own, which takes it or refuses it.
#[test]
fn the_daemon_is_told_on_standard_input_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let fake = r#"#!/bin/sh
case "$*" in
    *' as '*)
        echo 'ind assid status conf reach auth'
        [ -e DIR/gone ] && [ ! -e DIR/made ] || echo '  1 4711 f61a yes yes ok'
        exit ;;
    *'rv 0 '*) echo 'version="ntpd"'; exit ;;
    *'rv 4711'*) echo 'srcadr=10.0.0.1, keyid=0, ident="red2"'; exit ;;
esac
echo "args $*" >>DIR/log
cat >DIR/said
cat DIR/said >>DIR/log
case $(tail -n 1 DIR/said) in
    *unpeer*) : >DIR/gone ;;
    *server*) : >DIR/made ;;
esac
[ ! -e DIR/refuses ] || { cat DIR/said; exit; }
echo Config Succeeded
"#;
    std::fs::write(
        path("ntpq"),
        fake.replace("DIR", &dir.path().display().to_string()),
    )
    .expect("written");
    std::fs::set_permissions(path("ntpq"), std::fs::Permissions::from_mode(0o755)).expect("its mode");
    // Below a root, and every character a shell could stumble over.
    let key = "!$%'()*;<>?[\\]`{|}~&";
    std::fs::create_dir(path("etc")).expect("a directory");
    std::fs::write(path("etc/ntp.keys"), format!("7 MD5 no\n9 SHA1 {key}\n")).expect("written");
    let telling = Orders {
        daemon: NtpOrg,
        control: Some(9),
        keys: KEYS.to_owned(),
        root: dir.path().display().to_string(),
        changes: vec![Change::Anew {
            server: "10.0.0.1".into(),
            line: "server 10.0.0.1 autokey ident red2".into(),
        }],
    };
    std::fs::write(path("tell"), telling.command()).expect("written");
    let run = || {
        let programs = format!(
            "{}:{}",
            dir.path().display(),
            std::env::var("PATH").expect("a path")
        );
        let output = std::process::Command::new("sh")
            .arg(path("tell"))
            .env("PATH", programs)
            .output()
            .expect("sh");
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    assert_eq!(run(), (true, String::new()));
    let one =
        |change: &str| format!("args -n 127.0.0.1\nkeyid 9\nkeytype SHA1\npasswd {key}\n:config {change}\n");
    let both = [one("unpeer 10.0.0.1"), one("server 10.0.0.1 autokey ident red2")].concat();
    assert_eq!(std::fs::read_to_string(path("log")).expect("a log"), both);
    // It repeats what it read, as one linked with readline does, and says no.
    std::fs::write(path("refuses"), "").expect("written");
    let (good, said) = run();
    assert!(!good && said.starts_with("it does not take 'unpeer': "), "{said}");
    assert!(said.contains(":config unpeer") && !said.contains(key), "{said}");
    // Another key than a word of text is not given to it at all.
    for value in ["0102030405060708090a0b0c0d0e0f1011121314", "a\"b", "a\u{e9}b"] {
        std::fs::write(path("etc/ntp.keys"), format!("9 SHA1 {value}\n")).expect("written");
        let (good, said) = run();
        assert!(
            !good && said.contains("rotate it (keytrail rotate symmetric --key 9)"),
            "{said}"
        );
        assert!(!said.contains(value), "{said}");
    }
}
