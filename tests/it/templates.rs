//! Templates that are wrong: every error points into the file.

use keytrail::inventory::Implementation;
use keytrail::ntpconf::{Association, Context, Crypto, TemplateError, Templates};
use keytrail::secret::Secret;

fn replace(text: &str) -> Result<Templates, Box<TemplateError>> {
    Templates::new([("ntp.org.tera".into(), "mine/ntp.org.tera".into(), text.into())])
}

fn context() -> Context {
    Context {
        host: "mort".into(),
        group: Some("red".into()),
        implementation: "ntp.org",
        keysdir: Some("/etc/ntp/crypto".into()),
        crypto: None,
        keys: None,
        reference_clock: vec![],
        associations: vec![],
        clients: vec![],
        broadcastclient: false,
        ident: None,
        automax: None,
        revoke: None,
        cryptostats: false,
        restrict_notrust: vec![],
        extra: vec![],
    }
}

fn refused(text: &str) -> String {
    replace(text).expect_err("refused").to_string()
}

#[test]
fn an_unknown_name_is_shown_where_it_stands() {
    // In a branch that this host does not take: found all the same.
    snapbox::assert_data_eq!(
        refused("# {{ host }}\n{% if crypto %}\n  keysdir {{ keydir }}\n{% endif %}\n"),
        snapbox::file!["../golden/templates/unknown-name.txt"]
    );
    snapbox::assert_data_eq!(
        refused("{% for line in associations -%}\nserver {{ line.adress }}\n{% endfor %}"),
        snapbox::file!["../golden/templates/unknown-field.txt"]
    );
}

#[test]
fn a_syntax_error_is_shown_where_it_stands() {
    snapbox::assert_data_eq!(
        refused("# {{ host }}\n{% if crypto %}\ncrypto\n"),
        snapbox::file!["../golden/templates/syntax.txt"]
    );
}

#[test]
fn a_field_of_nothing_is_shown_with_the_host() {
    let templates = replace("{{ host }}\nkeys {{ keys.file }}\n").expect("valid names");
    let error = templates
        .render(Implementation::NtpOrg, &context(), &[])
        .expect_err("mort has no keys");
    snapbox::assert_data_eq!(
        error.to_string(),
        snapbox::file!["../golden/templates/field-of-nothing.txt"]
    );
}

#[test]
fn names_a_template_makes_itself_are_known() {
    let text = "{% set where = keysdir %}{% for x in associations %}{{ loop.index }} {{ x.address | upper }}{% endfor %}\
                keysdir {{ where }}\n{% if group == \"adress.unknown\" %}no{% endif %}";
    let rendered = replace(text)
        .expect("valid")
        .render(Implementation::NtpOrg, &context(), &[])
        .expect("renders");
    assert_eq!(rendered.redacted(), "keysdir /etc/ntp/crypto\n");
}

#[test]
fn the_password_can_only_be_written() {
    let crypto = Crypto {
        password: Some("\u{FDD0}0\u{FDD1}".into()),
        host: "mort".into(),
        ident: None,
        digest: None,
        randfile: None,
    };
    let context = Context {
        crypto: Some(crypto),
        ..context()
    };
    let render = |text: &str| {
        replace(text)
            .expect("valid")
            .render(Implementation::NtpOrg, &context, &[Secret::from("hunter2")])
    };
    let good = render("crypto pw {{ crypto.password }} host {{ crypto.host }}").expect("as meant");
    assert_eq!(good.to_secret().expose(), b"crypto pw hunter2 host mort\n");
    assert!(!format!("{good:?}").contains("hunter2"));
    for bad in [
        "crypto pw {{ crypto.password | truncate(length=1) }}",
        "# {{ crypto.password }}",
        "crypto pw \"{{ crypto.password }}\"",
    ] {
        let error = render(bad).expect_err(bad).to_string();
        assert!(error.contains("without filters"), "{error}");
    }
}

#[test]
fn a_template_cannot_forge_markers() {
    let error = replace("# <<< keytrail <<<\n")
        .expect("valid")
        .render(Implementation::NtpOrg, &context(), &[])
        .expect_err("refused");
    assert!(error.to_string().contains("markers"));
}

#[test]
fn a_directory_replaces_by_file_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = Templates::load(dir.path()).expect_err("empty").to_string();
    assert!(
        error.contains("ntp.org.tera, ntpsec.tera, chrony.tera, openvms.tera"),
        "{error}"
    );
    std::fs::write(
        dir.path().join("part.tera"),
        "server {{ association.address }} # {{ host }}\n",
    )
    .expect("written");
    std::fs::write(
        dir.path().join("chrony.tera"),
        "{% for association in associations %}{% include \"part.tera\" %}{% endfor %}",
    )
    .expect("written");
    let loaded = Templates::load(dir.path());
    let context = Context {
        associations: vec![Association {
            command: "server",
            address: "a.example".into(),
            name: None,
            autokey: false,
            key: None,
            ident: None,
            iburst: false,
            minpoll: None,
            maxpoll: None,
            prefer: false,
            version: None,
            options: vec![],
        }],
        ..context()
    };
    let rendered = loaded
        .expect("valid")
        .render(Implementation::Chrony, &context, &[])
        .expect("renders");
    assert_eq!(rendered.redacted(), "server a.example # mort\n");
}
