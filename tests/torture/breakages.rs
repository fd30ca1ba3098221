//! A host that breaks, in every way there is: it is named, it harms nobody, and once it is mended the same command
//! finishes.

use crate::common::Lab;
use crate::fleet::{Fleet, HOSTS};

/// One way to break leaf2, and how it is told.
struct Breakage {
    what: &'static str,
    /// Breaks it. Lines of its `sshd_config` from now on.
    broken: fn(&mut Fleet) -> Vec<String>,
    /// Its settings in the inventory.
    settings: &'static str,
    /// How long a phase may take; its default where nothing is said.
    timeout: Option<&'static str>,
    /// What is said of it; all of it, each in one of the wordings between bars.
    said: &'static [&'static str],
    /// How many of the other four change all the same.
    others: usize,
}

const PLAIN: Breakage = Breakage {
    what: "",
    broken: |_| Vec::new(),
    settings: "",
    timeout: None,
    said: &[],
    others: 0,
};

/// Logins that find a program of this text before the host's own.
fn instead(fleet: &mut Fleet, program: &str, text: &str) -> Vec<String> {
    fleet.lab.program(program, &format!("#!/bin/sh\n{text}\n"));
    vec![fleet.lab.path_line()]
}

/// Passes on what comes up to the first line of a certificate, and fails there.
const CUT: &str = "sed -u '/-----BEGIN CERT/q5'";

fn forced(command: &str) -> Vec<String> {
    vec![format!("ForceCommand {command}")]
}

/// What is said of a full disk.
const FULL: &[&str] = &[
    "leaf2: stage failed",
    "No space left on device|I/O error",
    "free some space",
];

/// A small disk in place of its own, full but for so many kilobytes.
fn full(fleet: &mut Fleet, left: u32) -> Vec<String> {
    let lines = fleet.mount(
        "new=$(mktemp -d)\nmount -t tmpfs -o size=1m tmpfs \"$new\"\ncp -a \"$1/.\" \"$new\"\nmount --move \"$new\" \"$1\"\nrmdir \"$new\"",
    );
    fleet.inside(&format!(
        "dd if=/dev/zero of=\"$1/ballast\" bs=1k 2>/dev/null || true; truncate -s -{left}K \"$1/ballast\""
    ));
    lines
}

/// All of them.
const BREAKAGES: &[Breakage] = &[
    Breakage {
        what: "the connection is refused",
        broken: |fleet| {
            fleet.lab.servers.stop("leaf2");
            Vec::new()
        },
        said: &["leaf2: observe failed: cannot connect", "Connection refused"],
        ..PLAIN
    },
    Breakage {
        what: "the login hangs",
        broken: |_| forced("sleep 60"),
        timeout: Some("20s"),
        said: &["leaf2", "no answer within 20s"],
        ..PLAIN
    },
    Breakage {
        what: "the restart command hangs",
        settings: ", restart: 'sleep 25'",
        timeout: Some("20s"),
        said: &["leaf2", "no answer within 20s"],
        others: 4,
        ..PLAIN
    },
    Breakage {
        what: "the connection drops in mid-file",
        broken: |_| forced(&format!("{CUT} | sh -c \"$SSH_ORIGINAL_COMMAND\"")),
        said: &["leaf2: stage failed"],
        ..PLAIN
    },
    Breakage {
        what: "the host hangs in mid-file",
        broken: |_| {
            forced(&format!(
                "{{ {CUT} || sleep 30; }} | sh -c \"$SSH_ORIGINAL_COMMAND\""
            ))
        },
        timeout: Some("20s"),
        said: &["leaf2", "no answer within 20s"],
        ..PLAIN
    },
    Breakage {
        what: "the disk is full (a real one)",
        broken: |fleet| full(fleet, 0),
        said: FULL,
        ..PLAIN
    },
    Breakage {
        what: "the disk is full after 4 kB (a real one)",
        broken: |fleet| full(fleet, 4),
        said: FULL,
        ..PLAIN
    },
    Breakage {
        what: "the disk is full when files are switched",
        broken: |fleet| {
            instead(
                fleet,
                "cp",
                "echo 'cp: error writing: No space left on device' >&2\nexit 1",
            )
        },
        said: &["leaf2: activate failed", "No space left on device"],
        others: 4,
        ..PLAIN
    },
    Breakage {
        what: "the disk is read-only (a real one)",
        broken: |fleet| fleet.mount("mount --bind \"$1\" \"$1\"\nmount -o remount,bind,ro \"$1\""),
        said: &[
            "leaf2: stage failed",
            "Read-only file system",
            "remount it read-write",
        ],
        ..PLAIN
    },
    Breakage {
        what: "a rename fails half way",
        broken: |fleet| {
            instead(
                fleet,
                "mv",
                "case \"$*\" in *-back*) ;; *keytrail-new*keytrail.conf*) echo 'mv: Input/output error' >&2; exit 1 ;; esac\nexec /bin/mv \"$@\"",
            )
        },
        said: &["leaf2: activate failed", "everything is as it was before"],
        others: 4,
        ..PLAIN
    },
    Breakage {
        what: "a rename fails half way, and again on the way back",
        broken: |fleet| {
            instead(
                fleet,
                "mv",
                "case \"$*\" in *keytrail-new*keytrail.conf*) echo 'mv: Input/output error' >&2; exit 1 ;; esac\nexec /bin/mv \"$@\"",
            )
        },
        said: &[
            "leaf2: activate failed: cannot put back: /etc/ntp/keytrail.conf",
            "the former state is in /etc/ntp/crypto/.keytrail/",
        ],
        others: 4,
        ..PLAIN
    },
    Breakage {
        what: "the restart command fails",
        settings: ", restart: 'echo no such unit >&2; false'",
        said: &[
            "leaf2: activate failed: the restart command failed with exit status 1",
            "no such unit",
        ],
        others: 4,
        ..PLAIN
    },
    Breakage {
        what: "the daemon dies 2 s after its restart",
        broken: |fleet| {
            mortal_daemon(&fleet.lab);
            vec![fleet.lab.path_line()]
        },
        settings: ", verify: start, restart: 'daemon 2'",
        said: &["leaf2: activate failed: no ntpd runs on the host"],
        others: 4,
        ..PLAIN
    },
    Breakage {
        what: "sudo wants a password",
        broken: |fleet| instead(fleet, "sudo", "echo 'sudo: a password is required' >&2\nexit 1"),
        settings: ", ssh: { become: sudo }",
        said: &[
            "leaf2: observe failed: sudo or doas asks for a password",
            "NOPASSWD",
        ],
        ..PLAIN
    },
    Breakage {
        what: "sudo does not know the login",
        broken: |fleet| {
            instead(
                fleet,
                "sudo",
                "echo 'ops is not in the sudoers file.  This incident will be reported.' >&2\nexit 1",
            )
        },
        settings: ", ssh: { become: sudo }",
        said: &["leaf2: observe failed: this login may not become root"],
        ..PLAIN
    },
    Breakage {
        what: "its clock is a year behind",
        broken: |fleet| instead(fleet, "date", "exec /bin/date -d '365 days ago' \"$@\""),
        said: &[
            "leaf2: observe failed: its clock says",
            "before its certificate becomes valid",
        ],
        ..PLAIN
    },
    Breakage {
        what: "its clock is a year ahead",
        broken: |fleet| instead(fleet, "date", "exec /bin/date -d '365 days' \"$@\""),
        said: &["leaf2: observe failed: its clock says"],
        ..PLAIN
    },
    Breakage {
        what: "the login shell is gone",
        broken: |_| forced("/bin/false"),
        said: &["leaf2: observe failed: the host ran no command (exit status 1)"],
        ..PLAIN
    },
];

/// Programs `daemon SECONDS`, a daemon that lives so long, and `ntpq`, which asks it.
pub fn mortal_daemon(lab: &Lab) {
    // It ends by the clock: a process that had to end it would itself have to wait for a processor.
    let until = lab.dir.path().join("alive-until").display().to_string();
    lab.program(
        "daemon",
        &format!("#!/bin/sh\necho $(($(date +%s) + $1)) >{until}\n"),
    );
    lab.program(
        "ntpq",
        &format!(
            "#!/bin/sh\n[ \"$(date +%s)\" -lt \"$(cat {until} 2>/dev/null || echo 0)\" ] || {{ echo 'ntpq: read: Connection refused'; exit 1; }}\n\
             case \"$*\" in *' as '*) echo \"No association ID's returned\" ;;\n\
             *) echo 'version=\"ntpd 4.2.8p15\", leap=00, stratum=3' ;; esac\n"
        ),
    );
}

#[test]
fn a_broken_host_is_named_and_harms_nobody() {
    let mut fleet = Fleet::new(|_, _| Vec::new());
    assert_eq!(fleet.keytrail("apply", &[]).0, 0);
    println!("| leaf2 is broken so | it is said | other hosts changed | leaf2 | mended, the rerun |");
    println!("|---|---|--:|---|---|");
    for Breakage {
        what,
        broken,
        settings,
        timeout,
        said: words,
        others,
    } in BREAKAGES
    {
        let before = fleet.states();
        fleet.next_state(settings);
        let lines = broken(&mut fleet);
        if fleet.lab.servers.hosts().iter().any(|host| host.name == "leaf2") {
            fleet.relead(&lines);
        }
        let mut arguments = vec!["--retries", "0"];
        arguments.extend(timeout.iter().flat_map(|limit| ["--timeout", limit]));
        let (status, said) = fleet.keytrail("apply", &arguments);
        assert_eq!(status, 1, "{what}: {said}");
        for word in *words {
            assert!(
                word.split('|').any(|word| said.contains(word)),
                "{what}: {word:?} is not said: {said}"
            );
        }
        let sentence = said
            .lines()
            .rfind(|line| line.starts_with("leaf2: "))
            .unwrap_or_default();
        fleet.settle();
        let found = fleet.states();
        let changed = |host: &&str| found[*host] != before[*host];
        let count = HOSTS
            .iter()
            .filter(|host| **host != "leaf2" && changed(host))
            .count();
        assert_eq!(count, *others, "{what}: other hosts that changed: {said}");
        // A restart that hangs is not undone by nobody waiting for it.
        let leaf2 = if changed(&"leaf2") { "new" } else { "old" };
        assert_eq!(leaf2 == "new", *what == "the restart command hangs", "{what}");
        // Mended, with a server that does as it is told.
        std::fs::remove_dir_all(fleet.dir().join("bin")).ok();
        fleet.relead(&[]);
        fleet.unmount();
        fleet.write("");
        fleet.converges(&before, what);
        println!("| {what} | {sentence} | {count} | {leaf2} | finishes |");
    }
}
