//! Exported hosts: the tree of a Unix host, the bundle for OpenVMS, where passwords are, and what an export replaces.

use keytrail::export::{self, Entry, What};
use keytrail::secret::Secret;
use snapbox::cmd::{Command, cargo_bin};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PASSWORD: &str = "PLANTED-secret-0xfeedface";
const FLEET: &str = "
version: 1
defaults: { host_key: { bits: 1024 } }
groups:
  red: { identity: iff, trusted: [mort] }
  green: { identity: gq, trusted: [gail] }
symmetric_keys:
  5: { type: MD5, value: { env: KEY5 } }
hosts:
  mort: { group: red, reference_clock: true, password: { env: PLANTED } }
  vmid: { group: red, ntpd: openvms, connection: export, password: { env: PLANTED }, servers: [mort, { host: aux, key: 5 }] }
  vleaf.example.org: { group: red, ntpd: openvms, connection: export, password: { env: PLANTED }, servers: [vmid] }
  leaf: { group: red, password: { env: PLANTED }, servers: [vmid] }
  gail: { group: green, reference_clock: true }
  vgq: { group: green, ntpd: openvms, connection: export, servers: [gail] }
  aux: { ntpd: ntpsec, reference_clock: true }
";

/// A directory with an inventory, and a vault as soon as something was minted.
struct Site {
    dir: TempDir,
}

struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Site {
    fn new() -> Self {
        let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
        fs::write(dir.path().join("fleet.yaml"), FLEET).expect("the inventory");
        Self { dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn export(&self, args: &[&str]) -> Ran {
        let output = Command::new(cargo_bin!("keytrail"))
            .arg("export")
            .args(args)
            .arg("fleet.yaml")
            .current_dir(self.dir.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("PLANTED", PASSWORD)
            .env("KEY5", "ImASecrt")
            .env_remove("KEYTRAIL_IDENTITY")
            .output()
            .expect("keytrail runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            status: output.status.code().expect("an exit status"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    fn exported(&self, args: &[&str]) -> Ran {
        let ran = self.export(args);
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        ran
    }
}

/// Everything below a directory, by relative path: mode and content, or where a link leads.
fn listed(base: &Path) -> BTreeMap<String, (u32, String)> {
    fn walk(base: &Path, dir: &Path, found: &mut BTreeMap<String, (u32, String)>) {
        for entry in fs::read_dir(dir).expect("readable") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(base).expect("below").display().to_string();
            let meta = path.symlink_metadata().expect("there");
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                found.insert(format!("{name}/"), (mode, String::new()));
                walk(base, &path, found);
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).expect("a link").display().to_string();
                assert!(path.exists(), "{name} leads nowhere");
                found.insert(name, (0, format!("→ {target}")));
            } else {
                found.insert(name, (mode, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(base, base, &mut found);
    found
}

/// Ten digits in a row are a filestamp.
fn without_stamps(text: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        shown.push_str(if digits.len() == 10 { "STAMP" } else { &digits });
        digits.clear();
        if c != '\0' {
            shown.push(c);
        }
    }
    shown
}

fn listing(files: &BTreeMap<String, (u32, String)>) -> String {
    let mut text = String::new();
    for (name, (mode, content)) in files {
        let line = match (mode, name.ends_with('/')) {
            (0, _) => format!("     {name} {content}"),
            _ => format!("{mode:04o} {name}"),
        };
        let _ = writeln!(text, "{line}");
    }
    without_stamps(&text)
}

#[test]
fn the_openvms_bundle_is_as_it_should_be() {
    let site = Site::new();
    let ran = site.exported(&["vmid", "vleaf.example.org", "vgq", "-o", "out"]);
    assert!(ran.stdout.contains("out/vmid: "), "{}", ran.stdout);
    assert!(ran.stderr.contains("@INSTALL_NTPKEYS.COM"), "{}", ran.stderr);
    let mut shown = String::new();
    for host in ["vmid", "vleaf.example.org", "vgq"] {
        let files = listed(&site.path("out").join(host));
        let _ = writeln!(shown, "== {host}\n{}", listing(&files));
        for name in ["INSTALL_NTPKEYS.COM", "tcpip$ntp.conf"] {
            let content = &files[name].1;
            assert!(
                content.lines().all(|line| line.len() < 255),
                "DCL takes no longer lines"
            );
            let _ = writeln!(shown, "-- {name}\n{}", without_stamps(content));
        }
    }
    // Generated passwords differ from run to run.
    let shown: String = shown
        .lines()
        .map(|line| match line.split_once("crypto pw ") {
            Some((_, rest)) => format!(
                "crypto pw PASSWORD{}\n",
                &rest[rest.find(' ').unwrap_or(rest.len())..]
            ),
            None => format!("{line}\n"),
        })
        .collect();
    snapbox::assert_data_eq!(shown, snapbox::file!["golden/export/openvms.txt"]);
}

/// Every line the procedure takes a file from names one that is in the bundle, and no media stay behind.
#[test]
fn the_procedure_installs_what_is_in_the_bundle() {
    let site = Site::new();
    site.exported(&["vmid", "vgq", "-o", "out"]);
    for host in ["vmid", "vgq"] {
        let files = listed(&site.path("out").join(host));
        let procedure = &files["INSTALL_NTPKEYS.COM"].1;
        let named: Vec<&str> = procedure
            .lines()
            .filter_map(|line| line.strip_prefix("$ NAME = \"")?.strip_suffix('"'))
            .collect();
        for name in &named {
            assert!(files.contains_key(*name), "{host}: {name}");
        }
        for name in files.keys().filter(|name| *name != "INSTALL_NTPKEYS.COM") {
            assert!(named.contains(&name.as_str()), "{host}: {name} is not installed");
        }
        for label in ["CHECK", "GUARD", "PLACE_PRIVATE", "PLACE_PUBLIC", "SET_ASIDE"] {
            assert_eq!(procedure.matches(&format!("\n${label}:\n")).count(), 1, "{label}");
        }
        // Private files only ever go where nobody else reads them.
        let lines: Vec<&str> = procedure.lines().collect();
        for three in lines
            .windows(3)
            .filter(|three| three[2].starts_with("$ GOSUB PLACE_"))
        {
            let name = three[0].trim_start_matches("$ NAME = ").trim_matches('"');
            let private = files[name].0 == 0o600;
            assert_eq!(three[2].ends_with("PLACE_PRIVATE"), private, "{host}: {name}");
        }
    }
}

#[test]
fn the_tree_of_a_unix_host_is_what_an_apply_leaves() {
    let site = Site::new();
    site.exported(&["--on", "mort,leaf", "-o", "out"]);
    let files = listed(&site.path("out"));
    snapbox::assert_data_eq!(listing(&files), snapbox::file!["golden/export/unix.txt"]);
    assert_eq!(
        site.path("out").metadata().expect("there").permissions().mode() & 0o777,
        0o700
    );
    assert!(files["leaf/etc/ntp.conf"].1.contains("includefile"));
    let leaf: Vec<_> = files.keys().filter(|name| name.starts_with("leaf/")).collect();
    assert!(leaf.iter().any(|name| name.contains("iffpar")), "{leaf:?}");
    assert!(
        !leaf.iter().any(|name| name.contains("iffkey")),
        "a client has no server key: {leaf:?}"
    );
}

#[test]
fn passwords_are_only_in_files_for_their_owner() {
    let site = Site::new();
    let ran = site.exported(&["-vv", "-o", "out"]);
    assert!(!ran.stdout.contains(PASSWORD) && !ran.stderr.contains(PASSWORD));
    let files = listed(&site.path("out"));
    let holding: Vec<_> = files
        .iter()
        .filter(|(_, (_, content))| content.contains(PASSWORD) || content.contains("ENCRYPTED"))
        .collect();
    assert!(
        holding
            .iter()
            .filter(|(_, (_, content))| content.contains(PASSWORD))
            .count()
            >= 4
    );
    for (name, (mode, _)) in holding {
        assert_eq!(*mode, 0o600, "{name}");
    }
}

#[test]
fn nothing_but_an_earlier_export_is_replaced() {
    let site = Site::new();
    fs::create_dir(site.path("out")).expect("made");
    site.exported(&["leaf", "-o", "out"]);
    let before = listed(&site.path("out"));
    let again = site.export(&["leaf", "-o", "out"]);
    assert_eq!(again.status, 2);
    assert!(
        again.stderr.contains("is not empty") && again.stderr.contains("--force"),
        "{}",
        again.stderr
    );
    assert_eq!(listed(&site.path("out")), before);
    site.exported(&["mort", "-o", "out", "--force"]);
    assert!(site.path("out/mort").exists() && !site.path("out/leaf").exists());
    // Somebody's own file, in an export and elsewhere.
    for (dir, file) in [("out", "out/mort/etc/notes"), ("home", "home/letter")] {
        fs::create_dir_all(site.path(dir)).expect("made");
        fs::write(site.path(file), "mine").expect("written");
        let refused = site.export(&["leaf", "-o", dir, "--force"]);
        assert_eq!(refused.status, 2);
        assert!(refused.stderr.contains("would be lost"), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(site.path(file)).expect("there"), "mine");
    }
    let left = fs::read_dir(site.dir.path()).expect("readable").flatten();
    let aside: Vec<_> = left
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".keytrail-export"))
        .collect();
    assert_eq!(aside, Vec::<String>::new());
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
    let file = |path: &str| Entry {
        path: path.into(),
        what: What::File {
            mode: 0o644,
            content: Secret::from("x"),
        },
    };
    // A file where a directory must be.
    let hosts = [("one".to_owned(), vec![file("a"), file("a/b")])];
    export::write(&dir.path().join("out"), &hosts, false).expect_err("cannot be");
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);
}

#[test]
fn an_unknown_host_is_named() {
    let site = Site::new();
    let ran = site.export(&["vmdi", "-o", "out"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("vmdi") && !site.path("out").exists(),
        "{}",
        ran.stderr
    );
}

fn sh(dir: &Path, script: &str) -> String {
    let output = std::process::Command::new("sh")
        .args(["-euc", script])
        .current_dir(dir)
        .output()
        .expect("sh runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{script}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[test]
fn a_tar_file_unpacks_to_the_tree() {
    let site = Site::new();
    site.exported(&["mort", "vmid", "-o", "trees"]);
    let ran = site.exported(&["mort", "vmid", "--tar", "-o", "tars"]);
    assert!(ran.stdout.contains("tars/mort.tar: "), "{}", ran.stdout);
    let mode = site
        .path("tars/mort.tar")
        .metadata()
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    sh(
        site.dir.path(),
        "mkdir un un/mort un/vmid; for h in mort vmid; do (umask 022; tar -xpf tars/$h.tar -C un/$h); done",
    );
    for host in ["mort", "vmid"] {
        let (tree, unpacked) = (
            listed(&site.path("trees").join(host)),
            listed(&site.path("un").join(host)),
        );
        assert_eq!(tree, unpacked, "{host}");
    }
    site.exported(&["mort", "--tar", "-o", "tars", "--force"]);
    assert!(!site.path("tars/vmid.tar").exists());
}

#[test]
fn parameters_of_a_group_are_a_page_and_files_that_agree() {
    let site = Site::new();
    let ran = site.exported(&["--parameters", "red", "-o", "www"]);
    assert!(ran.stderr.contains("pose as a server"), "{}", ran.stderr);
    let files = listed(&site.path("www"));
    let stamped = |name: &str| without_stamps(name);
    let names: Vec<String> = files.keys().map(|name| stamped(name)).collect();
    assert_eq!(
        names,
        [
            ".keytrail-export",
            "SHA256SUMS",
            "STAMPS",
            "index.html",
            "ntpkey_iffpar_red.STAMP"
        ]
    );
    sh(&site.path("www"), "sha256sum -c SHA256SUMS");
    // The very file that the group's own clients get.
    site.exported(&["leaf", "-o", "tree"]);
    let own = listed(&site.path("tree/leaf/etc/ntp/crypto"));
    let (name, public) = files
        .iter()
        .find(|(name, _)| name.starts_with("ntpkey_"))
        .expect("parameters");
    assert_eq!(own[name].1, public.1);
    for (_, content) in files.values() {
        assert!(!content.contains("ENCRYPTED") && !content.contains(PASSWORD));
    }
    // What the page says to do works.
    let page = &files["index.html"].1;
    let lines: Vec<&str> = page
        .lines()
        .map(|line| line.trim_start_matches("<pre>"))
        .filter(|line| line.starts_with("ln -sf "))
        .map(|line| line.trim_end_matches("</li>").trim_end_matches("</pre>"))
        .collect();
    assert_eq!(lines.len(), 1, "{page}");
    sh(&site.path("www"), &lines.join("\n"));
    assert!(site.path("www/ntpkey_iffpar_red").exists());
    let steady: String = without_stamps(page)
        .lines()
        .map(|line| match line.split_once("<code>") {
            Some((before, _)) if line.starts_with("<tr><td>") => {
                let before = before.split("STAMP</td><td>").next().unwrap_or_default();
                format!("{before}STAMP</td><td>DATE</td><td><code>DIGEST\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    snapbox::assert_data_eq!(steady, snapbox::file!["golden/export/parameters.html"]);
    let ran = site.export(&["leaf", "--parameters", "red", "-o", "none"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    for (group, why) in [("redd", "did you mean red?"), ("blue", "has no group")] {
        let ran = site.export(&["--parameters", group, "-o", "none"]);
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(!site.path("none").exists());
    }
}

#[test]
fn a_mail_holds_what_the_host_needs_and_nothing_readable_that_is_secret() {
    let site = Site::new();
    for host in ["leaf", "mort"] {
        let ran = site.exported(&["--mail", host]);
        assert!(!ran.stdout.contains(PASSWORD) && !ran.stderr.contains(PASSWORD));
        let server = host != "leaf";
        assert_eq!(ran.stdout.contains("ENCRYPTED"), server, "{}", ran.stdout);
        let dir = site.path(host);
        fs::create_dir(&dir).expect("made");
        fs::write(dir.join("mail.txt"), &ran.stdout).expect("written");
        // What the text says to do, taken from it.
        let commands: String = ran
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| line.starts_with("awk ") || line.starts_with("ln "))
            .map(|line| line.replace("THIS-TEXT", "mail.txt") + "\n")
            .collect();
        sh(&dir, &commands);
        fs::remove_file(dir.join("mail.txt")).expect("there");
        let got = listed(&dir);
        // Byte for byte what an apply would bring.
        site.exported(&[host, "-o", "tree", "--force"]);
        let tree = listed(&site.path("tree").join(host));
        for (name, (_, content)) in got.iter().filter(|(_, (mode, _))| *mode != 0) {
            let same = tree
                .iter()
                .find(|(path, _)| path.ends_with(name.trim_start_matches("ntpkey_")));
            assert_eq!(
                &same.unwrap_or_else(|| panic!("{name}")).1.1,
                content,
                "{host}: {name}"
            );
        }
        let kinds: Vec<&str> = got.keys().filter_map(|name| name.split('_').nth(1)).collect();
        assert!(
            kinds.contains(if server { &"iffkey" } else { &"iffpar" }),
            "{host}: {kinds:?}"
        );
        assert!(!kinds.contains(&"host") && !kinds.contains(&"cert"), "{kinds:?}");
        if host == "leaf" {
            let steady: String = without_stamps(&ran.stdout)
                .lines()
                .map(|line| match line.split_once(", made ") {
                    Some((before, _)) => format!("{before}, made DATE\n"),
                    None if line.len() == 64 && !line.contains(' ') => "BASE64\n".into(),
                    None => format!("{line}\n"),
                })
                .take_while(|line| !line.starts_with("# ntpkey_"))
                .collect();
            snapbox::assert_data_eq!(steady, snapbox::file!["golden/export/mail.txt"]);
        }
    }
    for (host, why) in [
        ("aux", "needs no media of a group"),
        ("vmid", "keytrail export vmid -o DIR"),
    ] {
        let ran = site.export(&["--mail", host]);
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}
