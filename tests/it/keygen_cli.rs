//! Whole sessions with `keytrail keygen` and `keytrail inspect`, as transcripts: what people type, read, and get back.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A directory, and everything that was typed and answered in it.
struct Session {
    dir: TempDir,
    transcript: String,
    stamps: BTreeMap<String, usize>,
}

impl Session {
    fn new() -> Self {
        let session = Self {
            dir: TempDir::new().expect("a directory"),
            transcript: String::new(),
            stamps: BTreeMap::new(),
        };
        fs::write(session.path("pw"), "xxx\n").expect("written");
        session
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_keytrail"))
            .args(line.split_whitespace())
            .current_dir(self.dir.path())
            .env_remove("KEYTRAIL_KEYGEN_PASSWORD")
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs")
    }

    /// Runs a line; `> FILE` at its end takes standard output.
    fn run(&mut self, line: &str) -> &mut Self {
        let (command, file) = line.split_once(" > ").map_or((line, None), |(c, f)| (c, Some(f)));
        let output = self.command(command);
        let shown = match file {
            Some(file) => {
                fs::write(self.path(file), &output.stdout).expect("written");
                String::new()
            }
            None => String::from_utf8_lossy(&output.stdout).into_owned(),
        };
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().expect("it was not killed");
        let text = format!("$ keytrail {line}\n{shown}{told}(exit {code})\n\n");
        let text = self.normal(&text);
        self.transcript.push_str(&text);
        self
    }

    /// Two runs within a second make a certificate that begins with the next one: lets it begin.
    fn wait(&mut self) -> &mut Self {
        std::thread::sleep(std::time::Duration::from_millis(2100));
        self
    }

    /// Lists the directory.
    fn list(&mut self) -> &mut Self {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .filter(|name| name.starts_with("ntp"))
            .collect();
        names.sort();
        let mut text = String::from("$ ls\n");
        for name in names {
            let path = self.path(&name);
            if let Ok(target) = fs::read_link(&path) {
                let _ = writeln!(text, "link {name} -> {}", target.display());
            } else {
                let mode = path.metadata().expect("it is there").permissions().mode() & 0o7777;
                let _ = writeln!(text, "{mode:04o} {name}");
            }
        }
        text.push('\n');
        let text = self.normal(&text);
        self.transcript.push_str(&text);
        self
    }

    /// Takes out what differs from run to run: stamps become S1, S2 … in the order seen, moments and sizes of
    /// random numbers become words.
    fn normal(&mut self, text: &str) -> String {
        let mut out = String::new();
        for line in text.replace(&*self.dir.path().to_string_lossy(), "DIR").lines() {
            let sizes = line.starts_with("  public") || line.starts_with("  private");
            let mut rest = line;
            if let Some(made) = rest.strip_prefix("  made      ") {
                assert!(!made.is_empty());
                out.push_str("  made      CTIME\n");
                continue;
            }
            if rest.starts_with("  serial") {
                out.push_str("  serial    SERIAL\n");
                continue;
            }
            while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
                out.push_str(&rest[..at]);
                rest = &rest[at..];
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let digits = &rest[..end];
                if rest.len() >= 20
                    && rest.is_char_boundary(20)
                    && rest[..20].ends_with('Z')
                    && &rest[4..5] == "-"
                {
                    out.push_str("MOMENT");
                    rest = &rest[20..];
                    continue;
                }
                if digits.len() == 10 && digits.starts_with('4') {
                    let next = self.stamps.len() + 1;
                    let number = *self.stamps.entry(digits.to_owned()).or_insert(next);
                    let _ = write!(out, "S{number}");
                } else if sizes {
                    out.push('#');
                } else {
                    out.push_str(digits);
                }
                rest = &rest[end..];
            }
            out.push_str(rest);
            out.push('\n');
        }
        out
    }
}

#[test]
fn first_steps_of_the_manual() {
    let mut session = Session::new();
    session
        .run("keygen -p xxx -T -I -i red -s mort")
        .run("keygen -p xxx -i red -s mort -e > ntpkey_iffpar_red")
        .run("inspect --password-file pw --pair ntpkey_iffkey_red ntpkey_iffpar_red")
        .run("keygen --password-file pw -s mort -d")
        .list()
        .wait()
        .run("inspect --password-file pw .");
    snapbox::assert_data_eq!(
        session.transcript,
        snapbox::file!["../golden/keygen/first-steps.txt"].raw()
    );
}

#[test]
fn refusals() {
    let mut session = Session::new();
    session
        .run("keygen --password-file pw -s mort -e")
        .run("keygen --password-file pw -s mort -I -b 256")
        .run("keygen --password-file pw -s mort -G -b 1024")
        .run("keygen --password-file pw -s mort -V 1")
        .run("keygen --password-file pw -s mort -c RSA-MD2 -C bf-cbc")
        .run("keygen --password-file pw -s mort@red -i blue")
        .run("keygen --password-file pw -s mort@red -l 0")
        .run("keygen --password-file pw -s mort -T -S DSA")
        .run("keygen --password-file pw -s mort -v 2")
        .run("keygen --password-file pw -s mort -m 256")
        .run("keygen -s mort -T -P")
        .run("keygen -s mort -M -I")
        .run("keygen --password-file nosuch -s mort")
        .run("keygen --password-file pw -s mort --dir nosuch")
        .list();
    snapbox::assert_data_eq!(
        session.transcript,
        snapbox::file!["../golden/keygen/refusals.txt"].raw()
    );
}

#[test]
fn mv_from_the_first_key_to_revocation() {
    let mut session = Session::new();
    session
        .run("keygen --password-file pw -T -V 3 -s ta@campus")
        .run("keygen --password-file pw -s ta -e --client 2 > client2")
        .run("inspect --password-file pw --pair ntpkey_mvkey_campus client2")
        .run("keygen --password-file pw -s ta -v 2")
        .run("inspect --password-file pw --pair ntpkey_mvkey_campus client2")
        .run("keygen --password-file pw -s ta -e --client 2")
        .run("keygen --password-file pw -s ta --readmit 2")
        .run("inspect --password-file pw --pair ntpkey_mvkey_campus client2")
        .list();
    snapbox::assert_data_eq!(
        session.transcript,
        snapbox::file!["../golden/keygen/mv.txt"].raw()
    );
}

#[test]
fn inspect_says_what_is_wrong() {
    let mut session = Session::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/media");
    for (from, to) in [
        ("iff/ntpkey_iffpar_red.4004178813", "ntpkey_iffpar_red"),
        ("iff/ntpkey_IFFkey_red.4004178813", "ntpkey_iffkey_red"),
        ("gq/ntpkey_gqkey_green.4004178817", "ntpkey_gqkey_green"),
        ("mv/ntpkey_MVta_mvg.4004178820", "ntpkey_mvta_mvg"),
    ] {
        fs::copy(golden.join(from), session.path(to)).expect("copied");
        fs::set_permissions(session.path(to), fs::Permissions::from_mode(0o600)).expect("set");
    }
    std::os::unix::fs::symlink("ntpkey_RSAhost_x.1", session.path("ntpkey_host_x")).expect("linked");
    fs::write(session.path("ntpkey_sign_x"), "# ntpkey_RSAsign_x.1\n").expect("written");
    fs::write(session.path("pw2"), "zzz\n").expect("written");
    session
        .run("inspect .")
        .run("inspect --password-file pw --password-file pw2 --password-file pw ntpkey_gqkey_green ntpkey_iffkey_red")
        .run("inspect --password-file pw2 ntpkey_iffkey_red")
        .run("inspect nosuch")
        .run("inspect");
    snapbox::assert_data_eq!(
        session.transcript,
        snapbox::file!["../golden/keygen/inspect.txt"].raw()
    );
}

#[test]
fn json_is_whole_and_private_numbers_are_not_in_it() {
    let session = Session::new();
    assert!(
        session
            .command("keygen --password-file pw -T -I -s mort@red")
            .status
            .success()
    );
    let read = |line: &str| -> serde_json::Value {
        let output = session.command(line);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let quiet = read("inspect --format json --password-file pw .");
    assert_eq!(quiet["version"], 1);
    let files = quiet["files"].as_array().expect("files");
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| file["verdict"] == "good"));
    assert_eq!(quiet["pairs"][0]["belong"], true);
    let private = |document: &serde_json::Value| {
        let numbers = document["files"].as_array().expect("files").iter();
        let numbers = numbers.flat_map(|file| file["report"]["numbers"].as_array().expect("numbers"));
        numbers
            .filter(|n| n["private"] == true)
            .map(|n| n["hex"].clone())
            .collect::<Vec<_>>()
    };
    assert!(private(&quiet).iter().all(serde_json::Value::is_null));
    let loud = private(&read("inspect --format json --show-private --password-file pw ."));
    assert_eq!(loud.len(), private(&quiet).len());
    let text = quiet.to_string();
    for number in loud {
        assert!(!text.contains(number.as_str().expect("hexadecimal")));
    }
}

#[test]
fn passwords_come_from_everywhere_and_appear_nowhere() {
    let session = Session::new();
    let made = Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(["keygen", "-s", "mort"])
        .current_dir(session.dir.path())
        .env("KEYTRAIL_KEYGEN_PASSWORD", "word-in-the-variable")
        .output()
        .expect("it runs");
    assert!(made.status.success());
    assert!(!String::from_utf8_lossy(&made.stderr).contains("word-in"));
    let wrong = session.command("keygen -s mort -p not-the-word");
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        told.contains("process list") && told.contains("password does not open"),
        "{told}"
    );
    assert!(!told.contains("not-the-word"), "{told}");
    fs::write(session.path("pw"), "word-in-the-variable\r\nsecond line\n").expect("written");
    assert!(
        session
            .command("keygen -s mort --password-file pw")
            .status
            .success()
    );
    // Without any, the host's name, with a warning.
    let open = session.command("keygen -s other");
    assert!(String::from_utf8_lossy(&open.stderr).contains("no secret"));
    let empty = Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(["keygen", "-s", "third", "-p", ""])
        .current_dir(session.dir.path())
        .output()
        .expect("it runs");
    assert_eq!(empty.status.code(), Some(2));
    assert!(!session.path("ntpkey_host_third").exists());
}

#[test]
fn the_manuals_long_names_are_known() {
    let session = Session::new();
    let line = "keygen --imbits 512 --certificate RSA-SHA1 --cipher des-ede3-cbc --debug-level --id-key --host-key \
                --iffkey --ident red --lifetime 10 --modulus 1024 --pvt-passwd xxx --get-pvt-passwd zzz --sign-key RSA \
                --subject-name mort --trusted-cert";
    let output = session.command(line);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout)
            .matches("-----END")
            .count(),
        2
    );
    for line in [
        "keygen -s x --gq-params",
        "keygen -s x --mv-params 2",
        "keygen -s x --mv-keys 1",
        "keygen -s x --pvt-cert",
    ] {
        let output = session.command(line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
    let symmetric = session.command("keygen -s x --md5key");
    assert!(symmetric.status.success() && session.path("ntp.keys").exists());
    let compat = session.command("keygen --compat");
    assert!(String::from_utf8_lossy(&compat.stdout).contains("-e with -q"));
}

#[test]
fn the_manual_shows_the_list_of_differences() {
    let manual = include_str!("../../docs/keygen.md");
    let list = keytrail::keygen::compat::markdown();
    assert!(
        manual.contains(&list),
        "docs/keygen.md is behind; it should hold:\n{list}"
    );
}
