//! Care for the vault from the command line: who opens it, copies of it and what damage leaves, as an operator sees it.

use snapbox::cmd::{Command, cargo_bin};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FLEET: &str = "version: 1
defaults: { host_key: { bits: 1024 }, connection: local, root: \"ROOT/{host}\", verify: none, restart: false }
groups: { red: { identity: iff, trusted: [mort] } }
hosts: { mort: { group: red, reference_clock: true }LEAVES }
";

struct Site {
    dir: TempDir,
}

struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    #[track_caller]
    fn refused(self, because: &[&str]) {
        assert_eq!(self.status, 2, "{}{}", self.stdout, self.stderr);
        for part in because {
            assert!(self.stderr.contains(part), "{part}: {}", self.stderr);
        }
    }
}

impl Site {
    /// A fleet of two hosts, minted.
    fn new() -> Self {
        let site = Self {
            dir: TempDir::with_prefix("keytrail-test-").expect("a directory"),
        };
        site.hosts(&["leaf"]);
        site.run("apply fleet.yaml").good();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The inventory with these clients of mort.
    fn hosts(&self, leaves: &[&str]) {
        let clients: Vec<String> = leaves
            .iter()
            .map(|leaf| format!(", {leaf}: {{ group: red, servers: [mort] }}"))
            .collect();
        let root = self.path("hosts").display().to_string();
        let text = FLEET.replace("ROOT", &root).replace("LEAVES", &clients.concat());
        fs::write(self.path("fleet.yaml"), text).expect("the inventory");
        for host in leaves.iter().chain(&["mort"]) {
            fs::create_dir_all(self.path("hosts").join(host).join("etc")).expect("a host");
        }
    }

    fn command(&self, operator: &str, line: &str) -> Command {
        let mut command = Command::new(cargo_bin!("keytrail"))
            .args(line.split_whitespace())
            .current_dir(self.dir.path())
            .env("XDG_CONFIG_HOME", self.path(operator))
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200");
        for variable in ["IDENTITY", "KEY", "PASSPHRASE", "PASSPHRASE_FILE", "KEY_COMMAND"] {
            command = command.env_remove(format!("KEYTRAIL_{variable}"));
        }
        command
    }

    fn run(&self, line: &str) -> Ran {
        self.run_as("ann", line)
    }

    /// As another operator, who has another key.
    fn run_as(&self, operator: &str, line: &str) -> Ran {
        ran(self.command(operator, line))
    }

    /// Makes a key for an operator, as the tool does with a first vault; says what others can seal to.
    fn key_of(&self, operator: &str) -> String {
        self.run_as(operator, &format!("plan --vault {operator}.vault fleet.yaml"))
            .good();
        self.run_as(operator, &format!("vault recipients --vault {operator}.vault"))
            .good()
            .trim()
            .to_owned()
    }
}

fn ran(command: Command) -> Ran {
    let output = command.output().expect("keytrail runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).expect("text");
    Ran {
        status: output.status.code().expect("an exit status"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

#[track_caller]
fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).expect("JSON")
}

#[test]
fn no_vault_is_said_by_every_verb() {
    let site = Site {
        dir: TempDir::with_prefix("keytrail-test-").expect("a directory"),
    };
    for line in [
        "vault info",
        "vault check",
        "vault backup -o copy",
        "vault recipients",
        "vault rekey",
        "vault prune --keep 3",
        "history",
        "diff",
    ] {
        site.run(&format!("{line} fleet.yaml"))
            .refused(&["no vault at fleet.vault", "--vault"]);
    }
    assert_eq!(fs::read_dir(site.dir.path()).expect("listed").count(), 0);
}

#[test]
fn info_history_and_diff_tell_what_was_done_without_a_key() {
    let site = Site::new();
    site.run("diff fleet.yaml").refused(&["not two generations"]);
    site.hosts(&["leaf", "late"]);
    site.run("apply fleet.yaml").good();
    // A stranger: no key is needed, and none is made.
    let info = site
        .run_as("nobody", "vault info --format json fleet.yaml")
        .good();
    let info = parsed(&info);
    assert_eq!(info["hosts"], 3);
    assert_eq!(info["secrets"]["host-key"], 3);
    assert_eq!(info["generations"].as_array().expect("a list").len(), 2);
    let told = site.run_as("nobody", "history fleet.yaml").good();
    assert_eq!(told.lines().count(), 3, "{told}");
    let second = parsed(&site.run_as("nobody", "history 2 fleet.yaml --format json").good());
    assert_eq!(second["hosts"]["applied"], 1, "{second}");
    assert_eq!(second["hosts"]["unchanged"], 2, "{second}");
    site.run("history 7 fleet.yaml").refused(&["no run 7"]);
    let differs = site.run_as("nobody", "diff --exit-code fleet.yaml");
    assert_eq!(differs.status, 1, "{}", differs.stderr);
    for part in [
        "generation 1 → 2",
        "  late\n",
        "+ ntpkey_RSAhost_late.",
        "+ password of late",
        "1 host with other files",
    ] {
        assert!(differs.stdout.contains(part), "{part}: {}", differs.stdout);
    }
    assert!(site.run("diff 2 2 fleet.yaml").good().contains("nothing differs"));
    site.run("diff 1 9 fleet.yaml").refused(&["no generation 9"]);
    assert!(!site.path("nobody").exists());
}

#[test]
fn a_second_operator_is_let_in_and_shut_out() {
    let site = Site::new();
    let ben = site.key_of("ben");
    site.run_as("ben", "vault check fleet.yaml")
        .refused(&["does not open"]);
    site.run("vault recipients add age1nonsense fleet.yaml")
        .refused(&["no age recipient"]);
    let both = site.run(&format!("vault recipients add {ben} fleet.yaml")).good();
    assert_eq!(both.lines().count(), 2);
    let whole = site.run_as("ben", "vault check fleet.yaml").good();
    assert!(whole.contains("every value opens"), "{whole}");
    // Ben works with it, too.
    site.hosts(&["leaf", "late"]);
    site.run_as("ben", "apply fleet.yaml").good();
    let own = both.lines().find(|name| **name != ben).expect("ann's");
    site.run(&format!("vault recipients remove {own} fleet.yaml"))
        .refused(&["shut you out"]);
    let left = site.run(&format!("vault recipients remove {ben} fleet.yaml"));
    assert!(
        left.stderr.contains("sealed anew under a new data key"),
        "{}",
        left.stderr
    );
    assert_eq!(left.good().trim(), own);
    site.run_as("ben", "vault check fleet.yaml")
        .refused(&["does not open"]);
    let rekeyed = site.run("vault rekey fleet.yaml").good();
    assert!(rekeyed.contains(own), "{rekeyed}");
    site.run_as("ben", "plan fleet.yaml").refused(&["does not open"]);
    site.run("vault check fleet.yaml").good();
}

#[test]
fn a_passphrase_opens_it_from_a_file_standard_input_or_a_command() {
    let site = Site::new();
    fs::write(site.path("pass"), "correct horse\n").expect("written");
    fs::write(site.path("wrong"), "battery staple\n").expect("written");
    site.run("vault rekey --new-passphrase-file pass fleet.yaml")
        .good();
    site.run("vault check fleet.yaml --passphrase-file wrong")
        .refused(&["does not open"]);
    for (option, value) in [("--passphrase-file", "pass"), ("--key-command", "cat pass")] {
        let check = site.command("ann", "vault check fleet.yaml");
        ran(check.args([option, value])).good();
    }
    // The other ways to give a key are no business of the command.
    fs::write(
        site.path("key.sh"),
        "[ -z \"$KEYTRAIL_PASSPHRASE$KEYTRAIL_KEY\" ] && cat pass\n",
    )
    .expect("written");
    let command = site
        .command("ann", "vault check fleet.yaml")
        .args(["--key-command", "sh key.sh"])
        .env("KEYTRAIL_PASSPHRASE", "battery staple")
        .env("KEYTRAIL_KEY", "battery staple");
    ran(command).good();
    let typed = site
        .command("ann", "plan --passphrase-file - fleet.yaml")
        .stdin("correct horse\n");
    let said = ran(typed);
    assert!(!said.stderr.contains("correct horse") && !said.stdout.contains("correct horse"));
    said.good();
    let twice = site
        .command("ann", "vault check fleet.yaml")
        .env("KEYTRAIL_PASSPHRASE", "correct horse")
        .env("KEYTRAIL_IDENTITY", "ann/keytrail/identity.agekey");
    ran(twice).refused(&["both set"]);
    let variable = site
        .command("ann", "vault check fleet.yaml")
        .env("KEYTRAIL_PASSPHRASE", "correct horse");
    ran(variable).good();
    let ben = site.key_of("ben");
    site.run(&format!(
        "vault recipients add {ben} --passphrase-file pass fleet.yaml"
    ))
    .refused(&["no recipients beside one", "rekey"]);
    site.run(&format!(
        "vault rekey --new-recipient {ben} --passphrase-file pass fleet.yaml"
    ))
    .good();
    site.run_as("ben", "vault check fleet.yaml").good();
}

#[test]
fn a_backup_taken_while_another_process_mints_is_whole() {
    let site = Site::new();
    let leaves: Vec<String> = (0..24).map(|n| format!("late{n}")).collect();
    site.hosts(&leaves.iter().map(String::as_str).collect::<Vec<_>>());
    let writer = site.command("ann", "plan fleet.yaml");
    let writer = std::thread::spawn(move || ran(writer));
    let mut copies = 0;
    let mut during = 0;
    while copies < 2 || !writer.is_finished() {
        let running = !writer.is_finished();
        site.run(&format!("vault backup -o copy{copies}.vault fleet.yaml"))
            .good();
        during += usize::from(running);
        copies += 1;
    }
    writer.join().expect("no panic").good();
    assert!(during > 0, "no backup began while the other process ran");
    site.run("vault backup -o copy0.vault fleet.yaml")
        .refused(&["copy0.vault exists already"]);
    for copy in [0, copies - 1] {
        let checked = site
            .run(&format!("vault check --vault copy{copy}.vault --format json"))
            .good();
        let generations = &parsed(&checked)["generations"];
        // Either generation whole, never a part of one.
        let files = parsed(&checked)["readable"]["files"]["good"].as_u64();
        let expected = if generations.as_array().expect("a list").len() == 1 {
            6
        } else {
            6 + 24 * 2
        };
        assert_eq!(files, Some(expected), "{checked}");
    }
}

#[test]
fn restore_takes_a_whole_backup_and_refuses_a_truncated_one() {
    let site = Site::new();
    fs::create_dir(site.path("copies")).expect("made");
    let said = site.run("vault backup -o copies fleet.yaml").good();
    let copy = said.split(": ").next().expect("a name").to_owned();
    assert!(copy.starts_with("copies/fleet-2"), "{said}");
    site.hosts(&["leaf", "late"]);
    site.run("plan fleet.yaml").good();
    let vault = site.path("fleet.vault");
    let before = fs::read(&vault).expect("read");
    let whole = fs::read(site.path(&copy)).expect("read");
    for (name, length) in [
        ("half", whole.len() / 2),
        ("page", whole.len() - 4096),
        ("header", 60),
        ("empty", 0),
    ] {
        fs::write(site.path(name), &whole[..length]).expect("written");
        site.run(&format!("vault restore {name} fleet.yaml"))
            .refused(&["nothing was restored", name]);
        assert_eq!(fs::read(&vault).expect("read"), before, "{name}");
    }
    assert_eq!(leftovers(site.dir.path()), Vec::<String>::new());
    let restored = site.run(&format!("vault restore {copy} fleet.yaml"));
    for part in [
        "The vault from before is fleet.vault.before-",
        "It had generation 2",
    ] {
        assert!(restored.stderr.contains(part), "{}", restored.stderr);
    }
    assert!(restored.good().contains("fleet.vault: generation 1"));
    site.run("vault check fleet.yaml").good();
    let kept = fs::read_dir(site.dir.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .find(|name| name.contains(".before-"))
        .expect("kept");
    assert_eq!(fs::read(site.path(&kept)).expect("read"), before);
}

/// Files built aside that nobody removed.
fn leftovers(dir: &Path) -> Vec<String> {
    fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .filter(|name| name.starts_with(".keytrail"))
        .collect()
}

#[test]
fn check_says_what_a_damaged_vault_still_holds() {
    let site = Site::new();
    let whole = site.run("vault check fleet.yaml").good();
    assert!(
        whole.starts_with("fleet.vault is whole: 6 files, 5 secrets"),
        "{whole}"
    );
    // A medium in which bits have turned: the file is well formed, and one value does not open.
    fs::copy(site.path("fleet.vault"), site.path("bits.vault")).expect("copied");
    let db = rusqlite::Connection::open(site.path("bits.vault")).expect("opened");
    db.execute(
        "UPDATE contents SET sealed = zeroblob(length(sealed))
         WHERE artifact = (SELECT max(artifact) FROM contents)",
        [],
    )
    .expect("damaged");
    drop(db);
    let damaged = site.run("vault check --vault bits.vault --format json");
    assert_eq!(damaged.status, 1, "{}", damaged.stderr);
    let said = parsed(&damaged.stdout);
    assert_eq!(said["whole"], false);
    assert_eq!(said["readable"]["files"]["good"], 5, "{said}");
    assert_eq!(said["readable"]["files"]["damaged"], 1, "{said}");
    assert_eq!(said["readable"]["secrets"]["good"], 5, "{said}");
    // Truncated: recognised before anything is done with it.
    let bytes = fs::read(site.path("fleet.vault")).expect("read");
    fs::write(site.path("cut.vault"), &bytes[..bytes.len() - 8192]).expect("written");
    let cut = site.run("vault check --vault cut.vault");
    assert_eq!(cut.status, 1, "{}", cut.stderr);
    for part in ["cut.vault is damaged", "can still be read: ", "on record"] {
        assert!(cut.stdout.contains(part), "{part}: {}", cut.stdout);
    }
    site.run("plan --vault cut.vault fleet.yaml")
        .refused(&["cut.vault is damaged", "vault check"]);
    fs::write(site.path("text.vault"), "not a vault\n").expect("written");
    site.run("vault check --vault text.vault")
        .refused(&["text.vault"]);
}

#[test]
fn prune_removes_what_no_host_can_need() {
    let site = Site::new();
    for planned in ["b", "c", "d"] {
        site.hosts(&["leaf", planned]);
        site.run("plan fleet.yaml").good();
    }
    // Every host still stands in the first generation, the latest is in force, and the one before is the way back.
    let between = site.run("vault prune --keep 1 --dry-run fleet.yaml").good();
    assert_eq!(between, "Would remove generation 2\n");
    site.run("apply fleet.yaml").good();
    let would = site.run("vault prune --keep 1 --dry-run fleet.yaml").good();
    assert!(would.starts_with("Would remove generation"), "{would}");
    assert_eq!(
        site.run("vault prune --keep 1 --dry-run fleet.yaml").good(),
        would,
        "a dry run changes nothing"
    );
    let recent = site
        .run("vault prune --keep 1 --older-than 30d fleet.yaml")
        .good();
    assert!(recent.starts_with("Nothing to remove"), "{recent}");
    let done = site.run("vault prune --keep 1 fleet.yaml").good();
    let which = would.trim().strip_prefix("Would remove ").expect("checked");
    assert!(done.starts_with(&format!("Removed {which}: ")), "{done}");
    assert!(site.run("vault info fleet.yaml").good().contains("pruned"));
    site.run("vault check fleet.yaml").good();
    // Hosts stand as they did: nothing is made anew for them.
    assert_eq!(site.run("plan --exit-code fleet.yaml").status, 0);
}

#[test]
fn what_was_done_on_hosts_is_said_though_the_journal_is_lost() {
    let site = Site::new();
    let text = fs::read_to_string(site.path("fleet.yaml")).expect("the inventory");
    // Somebody empties the vault while hosts are restarted.
    let text = text
        .replace(
            "restart: false",
            &format!("restart: ': > {}'", site.path("fleet.vault").display()),
        )
        .replace("{ bits: 1024 }", "{ bits: 1024 }, certificate: { lifetime: 50d }");
    fs::write(site.path("fleet.yaml"), text).expect("written");
    let ran = site.run("apply fleet.yaml");
    assert!(ran.stderr.contains("2 hosts: 2 changed"), "{}", ran.stderr);
    ran.refused(&["could not be written into the vault's journal", "mort  changed"]);
}
