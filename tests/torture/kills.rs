//! A controller that dies at any moment.

use crate::fleet::Fleet;
use crate::{entries, name};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Kills in the short form, which every test run has.
const SHORT: u32 = 12;

/// What is done to a run.
const WAYS: [&str; 4] = [
    "kill -9",
    "kill -9, connections cut",
    "connections cut",
    "SIGTERM",
];

/// Small, seeded, good enough to choose moments.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }
}

pub fn signal(pid: u32, signal: &str) {
    let _ = Command::new("kill")
        .args([signal, &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status();
}

/// Ends processes whose command line speaks of a directory.
pub fn kill_of(dir: &Path, program: &str) {
    for process in entries(Path::new("/proc")) {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        if line.starts_with(program) && line.contains(&*dir.to_string_lossy()) {
            signal(name(&process).parse().unwrap_or(u32::MAX), "-KILL");
        }
    }
}

/// What came of the kills in one phase.
#[derive(Default)]
struct Tally {
    ways: [u32; 4],
    /// Hosts that stood in their old and in their new state.
    old: usize,
    new: usize,
    /// Runs that lived to end by themselves, by their exit status.
    ended: [u32; 3],
}

#[test]
fn a_controller_that_dies_at_any_moment_leaves_no_host_between() {
    let kills =
        std::env::var("KEYTRAIL_TORTURE").map_or(SHORT, |kills| kills.parse().expect("a number of kills"));
    let seed = std::env::var("KEYTRAIL_TORTURE_SEED").map_or_else(
        |_| u64::from(std::process::id()) << 20 | u64::from(Instant::now().elapsed().subsec_nanos()) | 1,
        |seed| seed.parse().expect("a seed"),
    );
    let mut dice = Dice(seed);
    let mut fleet = Fleet::new(|_, _| Vec::new());
    assert_eq!(fleet.keytrail("apply", &[]).0, 0);
    fleet.next_state("");
    let began = Instant::now();
    assert_eq!(fleet.keytrail("apply", &[]).0, 0);
    let first = u64::try_from(began.elapsed().as_millis()).expect("short");
    let mut whole = first;
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let (mut came, mut late) = (0, 0);
    while came < kills {
        let before = fleet.states();
        fleet.next_state("");
        let mut controller = fleet.start();
        let moment = dice.below(whole);
        std::thread::sleep(Duration::from_millis(moment));
        let way = usize::try_from(dice.below(4)).expect("small");
        let phase = fleet.phase();
        if controller.try_wait().expect("a child").is_some() {
            // No kill, and not counted as one. Runs are faster or slower as the machine has other things to do.
            late += 1;
            assert!(late <= kills.max(SHORT), "the runs end before their kills");
            whole -= whole / 10;
            fleet.converges(&before, "no kill");
            continue;
        }
        came += 1;
        whole += whole / 100;
        if way < 2 {
            signal(controller.id(), "-KILL");
        }
        match way {
            1 | 2 => kill_of(&fleet.tmp(), "ssh"),
            3 => signal(controller.id(), "-TERM"),
            _ => {}
        }
        let ended = controller.wait().expect("it ended").code();
        let what = format!(
            "kill {came} (seed {seed}): {} in \"{phase}\", after {moment} of {whole} ms",
            WAYS[way]
        );
        let stood = fleet.converges(&before, &what);
        let tally = tallies.entry(phase.clone()).or_default();
        tally.ways[way] += 1;
        tally.old += stood.old;
        tally.new += stood.new;
        if let Some(status) = ended {
            // Asked to stop before there is a plan, it has not run; connections cut are hosts that failed.
            let early = way == 3 && stood.new == 0 && !phase.starts_with("wave") && phase != "staging";
            assert!(
                way >= 2 && (status < 2 || early && status == 2),
                "{what}: exit status {status}"
            );
            tally.ended[usize::try_from(status).expect("small")] += 1;
        }
    }
    println!("torture: {kills} kills of runs of {first} ms, {late} came too late; seed {seed}");
    print(&tallies);
}

/// The phases in the order in which they come, with what came of the kills in each.
fn print(tallies: &BTreeMap<String, Tally>) {
    let order = |phase: &str| {
        let first = ["reading", "minting", "looking", "staging"];
        first
            .iter()
            .position(|known| *known == phase)
            .unwrap_or(first.len())
    };
    let mut phases: Vec<_> = tallies.iter().collect();
    phases.sort_by_key(|(phase, _)| (order(phase), (*phase).clone()));
    println!(
        "| killed while | {} | exit 0 | 1 | 2 | hosts old | hosts new | between | converged |",
        WAYS.join(" | ")
    );
    println!("|---|{}", "--:|".repeat(11));
    for (phase, tally) in phases {
        let [a, b, c, d] = tally.ways;
        let kills = a + b + c + d;
        println!(
            "| {phase} | {a} | {b} | {c} | {d} | {} | {} | {} | {} | {} | 0 | {kills} of {kills} |",
            tally.ended[0], tally.ended[1], tally.ended[2], tally.old, tally.new
        );
    }
}
