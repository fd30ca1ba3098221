//! What of a change a running daemon can be told, and what is in the way.

mod spoken;

use super::*;
use crate::inventory::KeyType;
use crate::plan::{ConfLines, Desired, FileSpec, ObservedFile};
use Implementation::{Chrony, NtpOrg, Ntpsec, Openvms};
use std::collections::BTreeMap;

const KEYS: &str = "/etc/ntp.keys";
const CONF: &str = "/etc/ntp.conf";
const NTP_CONF: &str = "# here\nkeys /etc/ntp.keys\ntrustedkey 7 9\ncontrolkey 9\nserver 10.0.0.1 key 7 iburst\nserver 10.0.0.2 key 7\ncrypto pw secret\n";
const NTP_KEYS: &str = "7 AES128CMAC 000102030405060708090b0b0c0f0e0f\n9 MD5 takes-orders\n";

/// A host's files before and after, and whose daemon reads them.
struct Case {
    told: LiveUpdate<'static>,
    conf: [String; 2],
    keys: [String; 2],
    link: Option<&'static str>,
    mode: u32,
    pending: bool,
}

impl Case {
    fn of(daemon: Implementation, conf: &str, keys: &str) -> Self {
        Self {
            told: LiveUpdate {
                daemon,
                keys_file: KEYS,
                root: "",
                as_root: true,
                restart: None,
            },
            conf: [conf.to_owned(), conf.to_owned()],
            keys: [keys.to_owned(), keys.to_owned()],
            link: None,
            mode: 0o640,
            pending: false,
        }
    }

    fn ntp(daemon: Implementation) -> Self {
        Self::of(daemon, NTP_CONF, NTP_KEYS)
    }

    fn chrony() -> Self {
        Self::of(
            Chrony,
            "keyfile /etc/ntp.keys\nserver 10.0.0.1 key 7 iburst\nallow 10.0.0.3\n",
            "7 AES128 HEX:000102030405060708090b0b0c0f0e0f\n",
        )
    }

    fn conf(mut self, from: &str, to: &str) -> Self {
        assert!(self.conf[1].contains(from), "{from}");
        self.conf[1] = self.conf[1].replace(from, to);
        self
    }

    fn key(mut self, line: &str) -> Self {
        self.keys[1] = format!("{}{line}\n", self.keys[1]);
        self
    }

    fn keys(mut self, from: &str, to: &str) -> Self {
        assert!(self.keys[1].contains(from), "{from}");
        self.keys[1] = self.keys[1].replace(from, to);
        self
    }

    fn plan(&self) -> (HostPlan, DesiredHost) {
        let spec = |content: &str, mode| FileSpec {
            digest: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            mode,
            secret: true,
        };
        let files = [(CONF, &self.conf, 0o644), (KEYS, &self.keys, self.mode)];
        let desired = Desired {
            host: "here".into(),
            keysdir: "/k".into(),
            media: BTreeMap::new(),
            links: self
                .link
                .iter()
                .map(|link| ((*link).to_owned(), "to".to_owned()))
                .collect(),
            absent: BTreeSet::new(),
            former: BTreeMap::new(),
            unread: BTreeSet::new(),
            former_links: BTreeSet::new(),
            conf: files
                .iter()
                .map(|(path, content, mode)| ((*path).to_owned(), spec(&content[1], *mode)))
                .collect(),
            owner: None,
            group: None,
            restart: Some("systemctl restart it".into()),
            wave: 0,
        };
        let content = |at: usize| {
            files
                .iter()
                .map(move |(path, content, _)| ((*path).to_owned(), Secret::from(&*content[at])))
        };
        let mut made = DesiredHost {
            desired,
            contents: content(1).collect(),
            lines: ConfLines::new(),
            warnings: Vec::new(),
            range: None,
        };
        let observed = Observed {
            files: files
                .iter()
                .map(|(path, content, mode)| {
                    let file = ObservedFile {
                        digest: Digest::of(content[0].as_bytes()),
                        mode: *mode,
                        owner: "root".into(),
                        group: "root".into(),
                    };
                    ((*path).to_owned(), file)
                })
                .collect(),
            conf: content(0).collect(),
            restart_pending: self.pending,
            ..Observed::default()
        };
        let plan = made.plan_with_live_update(&observed, &self.told);
        (plan, made)
    }

    /// What it is told.
    #[track_caller]
    fn told(&self) -> Vec<String> {
        let (plan, _) = self.plan();
        assert!(!plan.restarts(), "{:?}", plan.untold());
        plan.told().to_vec()
    }

    /// The command that tells it, without the functions at its beginning.
    fn command(&self) -> String {
        let (_, made) = self.plan();
        let text = made.contents[PATH].expose_str().expect("text").to_owned();
        text[text.find("\ndaemon=").expect("its variables") + 1..].to_owned()
    }

    /// Why it is restarted, if a reason is given.
    #[track_caller]
    fn why(&self) -> Option<String> {
        let (plan, made) = self.plan();
        assert!(plan.restarts() && plan.told().is_empty());
        assert!(!made.contents.contains_key(PATH));
        plan.untold().map(str::to_owned)
    }
}

#[test]
fn a_new_id_is_read_and_trusted() {
    let added = |case: Case| case.key("8 AES128CMAC 100102030405060708090b0b0c0f0e0f");
    for daemon in [NtpOrg, Ntpsec] {
        let case = added(Case::ntp(daemon).conf("trustedkey 7 9", "trustedkey ( 7 ... 9 )"));
        assert_eq!(case.told(), ["read the key file again", "trustedkey ( 7 ... 9 )"]);
    }
    let case = Case::chrony().key("8 AES128 HEX:100102030405060708090b0b0c0f0e0f");
    assert_eq!(case.told(), ["read the key file again"]);
}

#[test]
fn associations_change_one_after_the_other() {
    let case = Case::ntp(NtpOrg)
        .conf(" key 7", " key 8")
        .conf("trustedkey 7", "trustedkey 8")
        .keys("7 AES", "8 AES");
    let expected = [
        "read the key file again",
        "trustedkey 8 9",
        "server 10.0.0.1 key 8 iburst",
        "server 10.0.0.2 key 8",
    ];
    assert_eq!(case.told(), expected);
    assert_eq!(
        case.command(),
        r#"daemon='ntp.org' control='9' keys='/etc/ntp.keys' root=''
begin_ntpd
readable ntpd
order 'keys "/etc/ntp.keys"'
order 'trustedkey 8 9'
order 'unpeer 10.0.0.1'
gone '10.0.0.1'
order 'server 10.0.0.1 key 8 iburst'
heard_ntpd '10.0.0.1'
order 'unpeer 10.0.0.2'
gone '10.0.0.2'
order 'server 10.0.0.2 key 8'
made_ntpd '10.0.0.1' 'keyid=8'
made_ntpd '10.0.0.2' 'keyid=8'
"#
    );
    let case = Case::chrony().conf(" key 7", " key 8").keys("7 AES", "8 AES");
    assert_eq!(
        case.command(),
        r"daemon='chrony' control='' keys='/etc/ntp.keys' root=''
begin_chronyd
readable chronyd
tell rekey
tell 'delete 10.0.0.1'
tell 'add server 10.0.0.1 key 8 iburst'
has_keys
made_chronyd '8'
"
    );
}

#[test]
fn a_server_by_name_is_found_before_it_is_told_to_go() {
    let named = |case: Case| {
        let both = case.conf.map(|conf| conf.replace("10.0.0.1", "clock.test"));
        Case { conf: both, ..case }
    };
    let changed = |case: Case| named(case).conf("clock.test key 7", "clock.test key 9");
    let order = "known 'clock.test'\norder 'unpeer clock.test'\ngone 'clock.test'\norder 'server clock.test key 9 iburst'\n";
    for daemon in [NtpOrg, Ntpsec] {
        let text = changed(Case::ntp(daemon)).command();
        assert!(
            text.contains(order) && text.matches("known").count() == 1,
            "{text}"
        );
    }
    let text = changed(Case::chrony()).command();
    assert!(text.contains("tell 'delete clock.test'\n"), "{text}");
}

#[test]
fn ntpdc_gives_its_orders_by_another_key_without_a_restart() {
    let case = |daemon| {
        let mut case = Case::ntp(daemon);
        case.conf = case.conf.map(|conf| conf + "requestkey 7\n");
        case.conf("requestkey 7", "requestkey 9")
    };
    assert_eq!(case(NtpOrg).told(), ["requestkey 9"]);
    assert!(case(NtpOrg).command().ends_with("order 'requestkey 9'\n"));
    // NTPsec has none to change.
    assert_eq!(case(Ntpsec).why(), None);
}

#[test]
fn another_value_under_the_same_id_is_proven_by_a_new_association() {
    let told = Case::ntp(Ntpsec).keys("0001", "1001").told();
    let anew = ["server 10.0.0.1 key 7 iburst", "server 10.0.0.2 key 7"];
    assert_eq!(told[0], "read the key file again");
    assert_eq!(told[1..], anew);
}

#[test]
fn the_control_key_changes_last() {
    let case = Case::ntp(NtpOrg)
        .conf("trustedkey 7 9", "trustedkey 7 9 10")
        .conf("controlkey 9", "controlkey 10")
        .key("10 MD5 takes-more")
        .conf("server 10.0.0.2 key 7", "server 10.0.0.2 key 10");
    let expected = [
        "read the key file again",
        "trustedkey 7 9 10",
        "server 10.0.0.2 key 10",
        "controlkey 10",
    ];
    assert_eq!(case.told(), expected);
    assert!(
        case.command().contains("control='9'"),
        "the former one gives the orders"
    );
    let case = case.keys("9 MD5 takes-orders\n", "");
    assert_eq!(case.why().as_deref(), Some("its control key 9 goes"));
}

#[test]
fn only_ntp_org_moves_an_autokey_association() {
    let conf = "keys /etc/ntp.keys\ntrustedkey 9\ncontrolkey 9\nserver 10.0.0.1 autokey ident red iburst\nserver 10.0.0.2 autokey ident red\n";
    let case = |daemon| {
        Case::of(daemon, conf, "9 MD5 takes-orders\n")
            .conf("10.0.0.1 autokey ident red", "10.0.0.1 autokey ident red2")
    };
    assert_eq!(case(NtpOrg).told(), ["server 10.0.0.1 autokey ident red2 iburst"]);
    let text = case(NtpOrg).command();
    assert!(
        text.ends_with("made_ntpd '10.0.0.1' 'ident=red2'\n") && !text.contains("readable"),
        "{text}"
    );
    assert_eq!(case(Ntpsec).why(), None, "it restarts as for any other line");
    for (from, to) in [
        ("10.0.0.2 autokey", "10.0.0.3 autokey"),
        ("ident red iburst", "ident red2"),
        ("autokey ident red iburst", "key 9 ident red iburst"),
        ("server 10.0.0.1", "peer 10.0.0.1"),
    ] {
        assert_eq!(
            Case::of(NtpOrg, conf, "9 MD5 x\n").conf(from, to).why(),
            None,
            "{from}"
        );
    }
}

#[test]
fn what_is_in_the_way_is_said_and_no_secret_with_it() {
    let key = "8 AES128CMAC 100102030405060708090b0b0c0f0e0f";
    let case = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::ntp(NtpOrg).key(key);
        change(&mut case);
        case
    };
    let chrony = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::chrony().key("8 AES128 HEX:100102030405060708090b0b0c0f0e0f");
        change(&mut case);
        case
    };
    for (case, why) in [
        (case(&|case| case.told.restart = Some("asked for")), "asked for"),
        (case(&|case| case.pending = true), "may not have read"),
        (
            case(&|case| case.link = Some("/k/ntpkey_cert_here")),
            "ntpkey_cert_here changes too",
        ),
        (
            case(&|case| case.conf[1] = case.conf[1].replace("pw secret", "pw other")),
            "`crypto` lines",
        ),
        (
            case(&|case| case.conf[1] = case.conf[1].replace("keys /etc/ntp.keys", "keys /k")),
            "`keys` lines",
        ),
        (
            case(&|case| case.conf[1].push_str("server 10.0.0.9 key 8\n")),
            "`server` lines",
        ),
        (
            case(&|case| case.conf[0] = case.conf[0].replace("controlkey 9\n", "")),
            "`controlkey` lines",
        ),
        (
            case(&|case| case.conf = [0, 1].map(|at| case.conf[at].replace("controlkey 9\n", ""))),
            "no control key",
        ),
        (
            case(&|case| case.keys[1] = case.keys[1].replace("orders", "others")),
            "control key 9 changes",
        ),
        (
            case(&|case| case.keys = [0, 1].map(|at| case.keys[at].replace("9 MD5", "9 SHA512"))),
            "of type SHA512",
        ),
        (
            case(&|case| {
                case.keys = [0, 1].map(|at| {
                    case.keys[at].replace(
                        "9 MD5 takes-orders",
                        "9 AES128CMAC 000a02030405060708090b0b0c0f0e0f",
                    )
                });
            }),
            "rotate it",
        ),
        (case(&|case| case.told.daemon = Openvms), "OpenVMS"),
        (chrony(&|case| case.mode = 0o600), "file_group"),
        (chrony(&|case| case.told.as_root = false), "become: sudo"),
        (
            chrony(&|case| case.conf[1] = case.conf[1].replace("allow 10.0.0.3", "allow")),
            "`allow` lines",
        ),
    ] {
        let said = case.why().unwrap_or_else(|| panic!("no reason: {why}"));
        assert!(said.contains(why), "{said}");
        assert!(
            !["secret", "other ", "takes", "0001"]
                .iter()
                .any(|word| said.contains(word)),
            "{said}"
        );
    }
    // Where nothing of it could be told anyway, nothing is explained.
    assert_eq!(Case::ntp(NtpOrg).conf("pw secret", "pw other").why(), None);
}
