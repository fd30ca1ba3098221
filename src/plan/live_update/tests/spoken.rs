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
    assert!(refused(key(KeyType::Aes128Cmac, b"abc\ndef")).contains("rotate it"));
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
[ -e DIR/refuses ] || echo Config Succeeded
"#;
    std::fs::write(
        path("ntpq"),
        fake.replace("DIR", &dir.path().display().to_string()),
    )
    .expect("written");
    std::fs::set_permissions(path("ntpq"), std::fs::Permissions::from_mode(0o755)).expect("its mode");
    // Below a root, in hexadecimal digits, and every byte a shell could stumble over.
    let key = *b"\x01\xfe %'\"\\$`0\x7f\t#~!&";
    let digits: String = key
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    std::fs::create_dir(path("etc")).expect("a directory");
    std::fs::write(path("etc/ntp.keys"), format!("7 MD5 no\n9 AES128CMAC {digits}\n")).expect("written");
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
    let one = |change: &str| {
        [
            b"args -n 127.0.0.1\nkeyid 9\nkeytype AES128CMAC\npasswd\n",
            &key[..],
            format!("\n:config {change}\n").as_bytes(),
        ]
        .concat()
    };
    let both = [one("unpeer 10.0.0.1"), one("server 10.0.0.1 autokey ident red2")].concat();
    assert_eq!(std::fs::read(path("log")).expect("a log"), both);
    std::fs::write(path("refuses"), "").expect("written");
    let (good, said) = run();
    assert!(!good && said.starts_with("it does not take 'unpeer'"), "{said}");
}
