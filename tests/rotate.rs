//! `renew`, `rotate` and `revoke` with the whole program over real SSH servers: who changes, in which order, and what is left when
//! a host fails in the middle.

mod common;

use common::{Lab, ended, keytrail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const HOSTS: [&str; 7] = ["th1", "th2", "mid1", "mid2", "leaf1", "leaf2", "leaf3"];

/// Seven hosts that are SSH servers, and their inventory.
struct Site {
    lab: Lab,
    inventory: PathBuf,
}

impl Site {
    /// Two trusted hosts, two intermediates and three leaves of one group.
    fn new(group: &str) -> Self {
        let head = format!("groups:\n  green: {{ {group}, trusted: [th1, th2] }}");
        let trusted = "group: green, reference_clock: true";
        let middle = "group: green, servers: [th1, th2]";
        let leaf = "group: green, servers: [mid1, mid2]";
        Self::with(&head, [trusted, trusted, middle, middle, leaf, leaf, leaf])
    }

    /// A site with this head of its inventory and these hosts, brought to its first state.
    fn with(head: &str, lines: [&str; 7]) -> Self {
        let mut lab = Lab::new();
        let dir = lab.dir.path().to_owned();
        for host in HOSTS {
            lab.start(host, &[]);
            let etc = dir.join("hosts").join(host).join("etc");
            fs::create_dir_all(&etc).expect("a root directory");
            fs::write(etc.join("ntp.conf"), "driftfile /var/lib/ntp/ntp.drift\n").expect("ntp.conf");
        }
        // The restart leaves a trace of its order among all hosts, and of the key the daemon would read; it fails where a
        // file says so.
        let restart = format!(
            "test ! -e {0}/broken-{{host}} && echo {{host}} >> {0}/restarts",
            dir.display()
        );
        let restart = |host: &str| restart.replace("{host}", host);
        let hosts: Vec<String> = HOSTS
            .iter()
            .zip(lines)
            .map(|(host, line)| format!("  {host}: {{ {line}, restart: '{}' }}\n", restart(host)))
            .collect();
        let hosts = hosts.concat();
        let text = format!(
            "version: 1
defaults:
  verify: none
  host_key: {{ bits: 512 }}
  ssh: {{ host: \"{{host}}\", config: {config} }}
  root: \"{dir}/hosts/{{host}}\"
{head}
hosts:
{hosts}",
            config = lab.servers.config().display(),
            dir = dir.display(),
        );
        let inventory = dir.join("fleet.yaml");
        fs::write(&inventory, text).expect("the inventory");
        let site = Self { lab, inventory };
        let (status, said) = site.keytrail(&["apply"]);
        assert_eq!(status, 0, "{said}");
        site.forget_restarts();
        site
    }

    fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    /// Runs a verb with its words on the inventory.
    fn keytrail(&self, words: &[&str]) -> (i32, String) {
        ended(keytrail(self.dir()).args(words).arg(&self.inventory))
    }

    #[track_caller]
    fn good(&self, words: &[&str]) -> String {
        let (status, said) = self.keytrail(words);
        assert_eq!(status, 0, "{words:?}: {said}");
        said
    }

    fn restarts(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir().join("restarts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn forget_restarts(&self) {
        let _ = fs::remove_file(self.dir().join("restarts"));
    }

    fn break_host(&self, host: &str, broken: bool) {
        let path = self.dir().join(format!("broken-{host}"));
        if broken {
            fs::write(path, "").expect("written");
        } else {
            fs::remove_file(path).expect("removed");
        }
    }

    fn keys(&self, host: &str) -> PathBuf {
        self.dir().join("hosts").join(host).join("etc/ntp/crypto")
    }

    /// The file that a host's link names.
    fn target(&self, host: &str, link: &str) -> String {
        let path = self.keys(host).join(link);
        let target = fs::read_link(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        target.display().to_string()
    }

    fn targets(&self, link: &str, hosts: &[&str]) -> BTreeSet<String> {
        hosts.iter().map(|host| self.target(host, link)).collect()
    }

    fn vault(&self) -> Vec<u8> {
        fs::read(self.dir().join("fleet.vault")).expect("the vault")
    }
}

/// Each before all of the next.
#[track_caller]
fn in_order(restarts: &[String], groups: &[&[&str]]) {
    let expected: usize = groups.iter().map(|group| group.len()).sum();
    assert_eq!(restarts.len(), expected, "{restarts:?}");
    let mut rest = restarts;
    for group in groups {
        let (now, later) = rest.split_at(group.len());
        let now: BTreeSet<&str> = now.iter().map(String::as_str).collect();
        assert_eq!(now, group.iter().copied().collect(), "{restarts:?}");
        rest = later;
    }
}

#[test]
fn identity_rotates_from_the_trusted_hosts_down_and_resumes() {
    let site = Site::new("identity: gq, identity_key: { gq: 512 }");
    let before = site.target("th1", "ntpkey_gqkey_green");
    let certificate = site.target("th1", "ntpkey_cert_th1");
    let mids_own = site.target("mid1", "ntpkey_cert_mid1");

    let vault = site.vault();
    let said = site.good(&["rotate", "identity", "--group", "green", "--dry-run"]);
    assert!(
        said.contains("leaf1") && said.contains("without a proven server for 4 polls (258 s)"),
        "{said}"
    );
    assert_eq!(site.vault(), vault, "a dry run keeps nothing");
    assert!(site.restarts().is_empty());

    site.break_host("mid2", true);
    let (status, said) = site.keytrail(&["rotate", "identity", "--group", "green"]);
    assert_eq!(status, 1, "{said}");
    // One server of every host after the other, and no leaf before both of its servers.
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid1"]]);
    assert!(said.contains("mid2: activate failed"), "{said}");
    assert!(said.contains("Pending: identity of group green, generation 2: 3 of 7 hosts have it, not yet leaf1, leaf2, leaf3, mid2."), "{said}");
    assert!(
        said.contains("fail then") && said.contains("Finish it: keytrail rotate identity --group green"),
        "{said}"
    );
    let after = site.target("th1", "ntpkey_gqkey_green");
    assert_ne!(after, before);
    assert_ne!(
        site.target("th1", "ntpkey_cert_th1"),
        certificate,
        "it carries a value of the GQ key"
    );
    assert_eq!(
        site.target("mid1", "ntpkey_cert_mid1"),
        mids_own,
        "it carries none"
    );
    // Staged everywhere, switched nowhere before its turn.
    let parameters = site.target("mid1", "ntpkey_gqpar_green");
    assert!(site.keys("leaf1").join(&parameters).exists());
    assert_ne!(site.target("leaf1", "ntpkey_gqpar_green"), parameters);

    site.break_host("mid2", false);
    site.forget_restarts();
    let said = site.good(&["rotate", "identity", "--group", "green"]);
    assert!(
        said.contains("Generation 2 of the identity of group green was minted before; 4 hosts still to do."),
        "{said}"
    );
    assert!(!said.contains("Minted"), "{said}");
    in_order(&site.restarts(), &[&["mid2"], &["leaf1", "leaf2", "leaf3"]]);
    assert_eq!(
        site.targets("ntpkey_gqkey_green", &["th1", "th2", "mid1", "mid2"])
            .len(),
        1
    );
    assert_eq!(
        site.targets("ntpkey_gqpar_green", &["mid1", "mid2", "leaf1", "leaf2", "leaf3"])
            .len(),
        1
    );
    assert!(!said.contains("Pending"), "{said}");

    // Done, the same command begins the next one.
    let said = site.good(&["rotate", "identity", "--group", "green"]);
    assert!(said.contains("Minted generation 3"), "{said}");
    assert_ne!(site.target("th1", "ntpkey_gqkey_green"), after);
}

#[test]
fn what_cannot_be_rotated_is_said_before_the_vault_is_touched() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let text = fs::read_to_string(&site.inventory).expect("the inventory");
    // Something to mint, which must not happen on the way.
    fs::write(&site.inventory, text.replace("512", "768")).expect("the inventory");
    let vault = site.vault();
    for (words, expected) in [
        (["identity", "--group", "blue"], "there is no group 'blue'"),
        (
            ["pc", "--group", "green"],
            "group green has no private certificate",
        ),
        (["certificate", "--host", "nobody"], "nobody"),
    ] {
        let (status, said) = site.keytrail(&[&["rotate"], &words[..]].concat());
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(expected) && !said.contains("Minted"), "{said}");
        assert_eq!(site.vault(), vault, "{words:?}");
    }
}

#[test]
fn nobody_goes_before_a_server_that_is_out_of_reach() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    // The first value that ssh meets is the one it takes.
    let config = site.lab.servers.config();
    let text = fs::read_to_string(&config).expect("ssh_config");
    fs::write(&config, format!("Host mid1\n  Port 1\n{text}")).expect("ssh_config");
    let (status, said) = site.keytrail(&[
        "rotate",
        "identity",
        "--group",
        "green",
        "--skip-unreachable",
        "--retries",
        "0",
    ]);
    assert_eq!(status, 1, "{said}");
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid2"]]);
    assert!(said.contains("not yet leaf1, leaf2, leaf3, mid1"), "{said}");
    let (status, said) = site.keytrail(&["rotate", "identity", "--group", "green", "--max-fail", "1"]);
    assert_eq!(status, 2, "{said}");
}

#[test]
fn certificates_are_renewed_where_they_are_due_or_asked_for() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let said = site.good(&["renew"]);
    assert!(
        said.contains("Nothing is due: the next certificate to end is that of"),
        "{said}"
    );
    assert!(site.restarts().is_empty());

    site.break_host("leaf2", true);
    let before: Vec<String> = HOSTS
        .iter()
        .map(|host| site.target(host, &format!("ntpkey_cert_{host}")))
        .collect();
    let (status, said) = site.keytrail(&["renew", "--all", "--on", "mid1,leaf2"]);
    assert_eq!(status, 1, "{said}");
    in_order(&site.restarts(), &[&["mid1"]]);
    site.break_host("leaf2", false);
    site.forget_restarts();
    // The next run of the timer finishes it, and renews nothing else.
    let said = site.good(&["renew"]);
    in_order(&site.restarts(), &[&["leaf2"]]);
    assert!(!said.contains("Minted"), "{said}");
    for (host, before) in HOSTS.iter().zip(before) {
        let now = site.target(host, &format!("ntpkey_cert_{host}"));
        assert_eq!(now != before, ["mid1", "leaf2"].contains(host), "{host}");
    }
    site.forget_restarts();
    site.good(&["renew", "--within", "366d"]);
    in_order(
        &site.restarts(),
        &[
            &["th1"],
            &["th2"],
            &["mid1"],
            &["mid2"],
            &["leaf1", "leaf2", "leaf3"],
        ],
    );
}

#[test]
fn a_password_changes_in_one_step_with_its_files() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let conf = site.dir().join("hosts/mid1/etc/ntp/keytrail.conf");
    let read = || fs::read_to_string(&conf).expect("the include file");
    let password = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with("crypto"))
            .expect("crypto");
        line.split(' ')
            .nth(2)
            .expect("a password")
            .trim_matches('"')
            .to_owned()
    };
    let before = password(&read());
    let stamp = |host: &str, link: &str| {
        let path = site.keys(host).join(link);
        let text = fs::read_to_string(path).expect("a key file");
        text.lines().next().expect("a first line").to_owned()
    };
    let stamps = ["ntpkey_host_mid1", "ntpkey_iffkey_green"].map(|link| stamp("mid1", link));
    let certificate = site.target("mid1", "ntpkey_cert_mid1");

    site.good(&["rotate", "password", "--host", "mid1"]);
    in_order(&site.restarts(), &[&["mid1"]]);
    let after = password(&read());
    assert_ne!(before, after);
    // The same numbers under the same stamps, which the new password opens and the old one does not.
    assert_eq!(
        stamps,
        ["ntpkey_host_mid1", "ntpkey_iffkey_green"].map(|link| stamp("mid1", link))
    );
    assert_eq!(site.target("mid1", "ntpkey_cert_mid1"), certificate);
    for link in ["ntpkey_host_mid1", "ntpkey_iffkey_green"] {
        let pem = fs::read(site.keys("mid1").join(link)).expect("a key file");
        let opens = |password: &str| {
            openssl::pkey::PKey::private_key_from_pem_passphrase(&pem, password.as_bytes()).is_ok()
        };
        assert!(opens(&after) && !opens(&before), "{link}");
    }
}

#[test]
fn an_mv_client_is_shut_out_by_its_servers() {
    let site = Site::new("identity: mv, identity_key: { mv: 512 }, mv: { clients: 12 }");
    let stamp = site.target("leaf2", "ntpkey_mvpar_green");
    let said = site.good(&["revoke", "leaf1"]);
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid1"], &["mid2"]]);
    assert!(said.contains("leaf1 holds client key"), "{said}");
    assert!(
        said.contains("New exchanges of leaf1 are refused from now on"),
        "{said}"
    );
    assert_eq!(site.target("leaf2", "ntpkey_mvpar_green"), stamp);

    // Again, it is only enforced: the client's own restart makes it ask.
    site.forget_restarts();
    site.good(&["revoke", "leaf1", "--enforce"]);
    in_order(&site.restarts(), &[&["leaf1"]]);

    site.forget_restarts();
    site.good(&["unrevoke", "leaf1"]);
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid1"], &["mid2"]]);
    let (status, said) = site.keytrail(&["unrevoke", "leaf1"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("'leaf1' is not shut out"), "{said}");
}

#[test]
fn a_host_taken_out_of_the_inventory_is_told_with_what_it_knows() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let text = fs::read_to_string(&site.inventory).expect("the inventory");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("  mid2:")).collect();
    let text = kept.join("\n").replace("[mid1, mid2]", "[mid1]");
    fs::write(&site.inventory, text).expect("the inventory");
    let said = site.good(&["plan"]);
    assert!(
        said.contains("warning: mid2 left, and still has the IFF server key of group green")
            && said.contains("keytrail rotate identity --group green"),
        "{said}"
    );
    assert!(!site.good(&["plan"]).contains("mid2 left"), "it is said once");
}

#[test]
fn a_stored_rotation_is_carried_out_by_apply_in_its_order() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let plan = site.dir().join("plan.json");
    let path = plan.to_str().expect("text");
    site.good(&["rotate", "identity", "--group", "green", "-o", path]);
    assert!(site.restarts().is_empty());
    let output = keytrail(site.dir())
        .args(["apply", path])
        .output()
        .expect("keytrail runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    in_order(
        &site.restarts(),
        &[
            &["th1"],
            &["th2"],
            &["mid1"],
            &["mid2"],
            &["leaf1", "leaf2", "leaf3"],
        ],
    );
    // Nothing is pending: the next one is a new one.
    let said = site.good(&["rotate", "identity", "--group", "green"]);
    assert!(said.contains("Minted generation 3"), "{said}");
}

/// Ids in the key file of a host, and on its `trustedkey` and `server` lines.
fn key_ids(site: &Site, host: &str) -> (Vec<String>, Vec<String>) {
    let etc = site.dir().join("hosts").join(host).join("etc");
    let file = ["ntp/ntp.keys", "ntpsec/ntp.keys", "chrony/chrony.keys"]
        .iter()
        .find_map(|path| fs::read_to_string(etc.join(path)).ok())
        .unwrap_or_else(|| panic!("{host} has no key file"));
    let ids = file.lines().filter(|line| !line.starts_with('#'));
    let ids = ids.filter_map(|line| line.split_ascii_whitespace().next());
    let mut lines = Vec::new();
    let mut confs = Vec::new();
    for dir in ["", "ntp", "ntpsec", "chrony", "chrony/conf.d"] {
        for name in ["keytrail.conf", "ntp.conf", "chrony.conf"] {
            confs.extend(fs::read_to_string(etc.join(dir).join(name)));
        }
    }
    for line in confs.iter().flat_map(|text| text.lines()) {
        if line.starts_with("server ") && line.contains(" key ") {
            let key = line.split(" key ").nth(1).expect("an id");
            lines.push(key.split(' ').next().expect("an id").to_owned());
        }
    }
    (ids.map(str::to_owned).collect(), lines)
}

#[test]
fn a_symmetric_key_changes_by_a_new_id_in_three_steps() {
    let site = Site::with(
        "symmetric_keys:\n  7: { type: AES-128-CMAC }\n  8: { type: AES-128-CMAC }",
        [
            "reference_clock: true",
            "reference_clock: true",
            "servers: [{ host: th1, key: 7 }, { host: th2, key: 8 }]",
            "servers: [{ host: th1, key: 7 }]",
            "servers: [{ host: mid1, key: 7 }, { host: mid2, key: 7 }]",
            "servers: [{ host: mid1, key: 7 }]",
            "servers: [{ host: th2, key: 8 }]",
        ],
    );
    let ids = |host: &str| key_ids(&site, host);
    assert_eq!(ids("leaf1"), (vec!["7".into()], vec!["7".into(), "7".into()]));
    let rotate = ["rotate", "symmetric", "--key", "7"];
    let vault = site.vault();
    let said = site.good(&[&rotate[..], &["--dry-run"]].concat());
    assert!(
        said.contains("from id 7 to id 9") && said.contains("Step 1 of 3"),
        "{said}"
    );
    let why = "it has no control key, with which a running ntpd is told (keys: { control: ID })";
    assert!(
        said.contains(&format!("      not told while it runs: {why}\n"))
            && said.contains(&format!("; not told: {why}\n")),
        "{said}"
    );
    assert_eq!(site.vault(), vault);

    // One step for now: only servers change, and everybody goes on with the old id.
    let said = site.good(&[&rotate[..], &["--steps", "1"]].concat());
    assert!(said.contains("Stopped after step 1 of 3"), "{said}");
    in_order(&site.restarts(), &[&["th1"], &["mid1"], &["mid2"]]);
    assert_eq!(ids("mid1").0, ["7", "8", "9"]);
    assert_eq!(ids("mid1").1, ["7", "8"]);
    assert_eq!(ids("leaf1").0, ["7"]);
    // What is in force is also what an ordinary plan sees.
    let said = site.good(&["plan", "--exit-code"]);
    assert!(said.contains("nothing to change"), "{said}");

    // Then a host fails in the middle of the second.
    site.forget_restarts();
    site.break_host("mid2", true);
    let (status, said) = site.keytrail(&rotate);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("Step 2 of 3") && said.contains("Pending: step 2 of 3"),
        "{said}"
    );
    in_order(&site.restarts(), &[&["mid1"]]);
    assert_eq!(
        ids("leaf1").1,
        ["7", "7"],
        "a client does not go before its servers"
    );

    site.break_host("mid2", false);
    site.forget_restarts();
    let said = site.good(&rotate);
    assert!(!said.contains("Step 1 of 3"), "{said}");
    assert!(said.contains("Symmetric key 7 is in use as id 9 now."), "{said}");
    // The second step to its end, and the third on those who still held the old one.
    in_order(
        &site.restarts(),
        &[&["mid2"], &["leaf1", "leaf2"], &["th1"], &["mid1"], &["mid2"]],
    );
    assert_eq!(ids("th1").0, ["9"]);
    assert_eq!(
        ids("mid1"),
        (vec!["8".into(), "9".into()], vec!["9".into(), "8".into()])
    );
    assert_eq!(ids("leaf1"), (vec!["9".into()], vec!["9".into(), "9".into()]));
    assert_eq!(
        ids("leaf3"),
        (vec!["8".into()], vec!["8".into()]),
        "not concerned"
    );
    let said = site.good(&["apply"]);
    assert!(said.contains("No changes"), "{said}");
}

#[test]
fn steps_of_a_symmetric_key_can_be_stored_as_plans() {
    let nobody = "reference_clock: true";
    let client = "servers: [{ host: th1, key: 7 }]";
    let site = Site::with(
        "symmetric_keys:\n  7: { type: AES-128-CMAC }",
        [nobody, nobody, client, nobody, nobody, nobody, nobody],
    );
    let plan = site.dir().join("step.json");
    let path = plan.to_str().expect("text");
    let store = || site.good(&["rotate", "symmetric", "--key", "7", "-o", path]);
    let apply = || {
        let (status, said) = ended(keytrail(site.dir()).args(["apply", path]));
        assert_eq!(status, 0, "{said}");
    };
    let hosts = ["th1", "mid1"];
    let ids = || hosts.map(|host| key_ids(&site, host).0);
    for (step, after) in [
        (1, [vec!["7", "8"], vec!["7"]]),
        (2, [vec!["7", "8"], vec!["8"]]),
        (3, [vec!["8"], vec!["8"]]),
    ] {
        site.forget_restarts();
        let before = ids();
        let said = store();
        assert!(
            said.contains(&format!("That is step {step} of 3."))
                && said.contains("carry it out with `keytrail apply"),
            "{said}"
        );
        // As long as it is not carried out it is the next one.
        assert!(store().contains(&format!("That is step {step} of 3.")));
        assert_eq!(ids(), before);
        assert!(site.restarts().is_empty());
        apply();
        assert_eq!(ids(), after, "{said}");
    }
    fs::remove_file(&plan).expect("the plan");
    let said = store();
    assert!(said.contains("Symmetric key 7 is in use as id 8 now."), "{said}");
    assert!(!plan.exists(), "nothing is left to plan: {said}");
}
