//! What the real daemons make of the lines they get.

use crate::common::conf_fleet::{fleet, make};
use crate::common::unpacked::{daemon, write};
use keytrail::plan::Observed;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn chronyd_reads_every_line() {
    let (program, libraries) = daemon("chrony", "chronyd");
    for mode in ["include", "block", "whole"] {
        let made = make(&fleet(mode), "chro", &Observed::default());
        let dir = tempfile::tempdir().expect("a directory");
        write(&made, dir.path());
        let output = Command::new(&program)
            .env("LD_LIBRARY_PATH", &libraries)
            .args(["-p", "-f"])
            .arg(dir.path().join("etc/chrony/chrony.conf"))
            .output()
            .expect("chronyd runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for line in [
            "server mort key 1 iburst",
            "server sec key 2 version 4",
            "allow 192.0.2.77",
        ] {
            assert!(printed.contains(line), "{mode}: no '{line}' in {printed}");
        }
    }
}

#[test]
fn ntpsec_reads_every_line() {
    let (program, libraries) = daemon("ntpsec", "ntpd");
    for mode in ["include", "block", "whole"] {
        let made = make(&fleet(mode), "sec", &Observed::default());
        let dir = tempfile::tempdir().expect("a directory");
        write(&made, dir.path());
        let keys = format!("1 AES128CMAC {}\n2 SHA256 {}\n", "1a".repeat(16), "2b".repeat(20));
        std::fs::write(dir.path().join("etc/ntpsec/ntp.keys"), keys).expect("written");
        // A network of its own, and no right to set clocks: it reaches nothing and changes nothing.
        let log = dir.path().join("log");
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--net"])
            .arg(&program)
            .args(["-n", "-c"])
            .arg(dir.path().join("etc/ntpsec/ntp.conf"))
            .arg("-l")
            .arg(&log)
            .env("LD_LIBRARY_PATH", &libraries)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare (util-linux) runs");
        let read = || std::fs::read_to_string(&log).unwrap_or_default();
        let limit = Instant::now() + Duration::from_secs(30);
        // It says so after all lines were read.
        while !read().contains("Built with") && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().expect("it can be stopped");
        child.wait().expect("it ends");
        let log = read();
        // It names every key of a server line that is missing or not trusted.
        assert!(log.contains("Built with"), "{mode}: {log}");
        for complaint in ["not found", "not trusted", "No such file"] {
            let named = log
                .lines()
                .any(|line| line.contains("key") && line.contains(complaint));
            assert!(!named, "{mode}: {log}");
        }
        assert!(!log.contains("syntax error"), "{mode}: {log}");
    }
}
