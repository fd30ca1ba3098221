//! Media handed over by tar file, page and mail.

use crate::common::exported::*;
use crate::common::stamps::without_stamps;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
    let stamped = |name: &str| without_stamps(name, "STAMP");
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
    let steady: String = without_stamps(page, "STAMP")
        .lines()
        .map(|line| match line.split_once("<code>") {
            Some((before, _)) if line.starts_with("<tr><td>") => {
                let before = before.split("STAMP</td><td>").next().unwrap_or_default();
                format!("{before}STAMP</td><td>DATE</td><td><code>DIGEST\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    snapbox::assert_data_eq!(steady, snapbox::file!["../golden/export/parameters.html"]);
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
            let steady: String = without_stamps(&ran.stdout, "STAMP")
                .lines()
                .map(|line| match line.split_once(", made ") {
                    Some((before, _)) => format!("{before}, made DATE\n"),
                    None if line.len() == 64 && !line.contains(' ') => "BASE64\n".into(),
                    None => format!("{line}\n"),
                })
                .take_while(|line| !line.starts_with("# ntpkey_"))
                .collect();
            snapbox::assert_data_eq!(steady, snapbox::file!["../golden/export/mail.txt"]);
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
