//! Time and peak memory of loading large inventories, each in a process of its own:
//! `cargo bench --bench inventory`.

// A bench is there to print.
#![allow(clippy::print_stdout)]

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A fleet with every host spelled out, and a hierarchy of ten clients a server.
fn spelled_out(hosts: usize) -> String {
    let mut text = String::from("version: 1\ngroups:\n  red: { identity: gq, trusted: [h000000] }\nhosts:\n");
    for i in 0..hosts {
        let (up, site, rack) = (i / 10, i % 100, i % 40);
        write!(
            text,
            "  h{i:06}:\n    group: red\n    address: h{i:06}.site{site:03}.example.org\n    servers: [h{up:06}, h{:06}]\n    \
             ssh: {{ user: ops{}, port: {} }}\n    tags: [rack{rack}, site{site:03}]\n    password: {{ env: NTP_PW_{i:06} }}\n",
            up + 1,
            i % 7,
            2200 + site,
        )
        .expect("writing to a String");
    }
    text
}

/// A fleet of a million in three lines.
fn ranges() -> String {
    "version: 1\ngroups:\n  red: { identity: gq, trusted: [top] }\nhosts:\n  top: { group: red, reference_clock: true }\n  \
     'mid[000-998]': { group: red, servers: [top] }\n  \
     'rack[000-998]-leaf[0001-1000]': { group: red, address: 'leaf{2}.rack{1}.example.org', servers: ['mid[000-001]'] }\n"
        .into()
}

/// Most memory this process ever had, in MB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|kb| kb.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}

fn measure(file: &Path) {
    let start = Instant::now();
    let inventory = keytrail::inventory::load(&[file.to_owned()]).expect("the fleet loads");
    let elapsed = start.elapsed();
    let kilobytes = std::fs::metadata(file).expect("the file is there").len() / 1000;
    let megabytes = f64::from(u32::try_from(kilobytes).expect("less than 4 TB")) / 1000.0;
    println!(
        "{:32} {:>9} hosts {:>7.1} MB {:>7.2} s {:>6.1} MB/s {:>5} MB resident",
        file.file_stem().unwrap_or_default().to_string_lossy(),
        inventory.hosts.len(),
        megabytes,
        elapsed.as_secs_f64(),
        megabytes / elapsed.as_secs_f64(),
        peak_memory(),
    );
}

fn main() {
    if let Some(file) = std::env::var_os("KEYTRAIL_BENCH_FILE") {
        measure(Path::new(&file));
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let fleets = [
        ("100 k spelled out", spelled_out(100_000)),
        ("1 M by ranges", ranges()),
        ("1 M spelled out", spelled_out(1_000_000)),
    ];
    for (name, text) in fleets {
        let file = directory.path().join(name).with_extension("yaml");
        std::fs::write(&file, text).expect("room for the fleet");
        let this = std::env::current_exe().expect("a path to this program");
        let status = Command::new(this)
            .env("KEYTRAIL_BENCH_FILE", &file)
            .status()
            .expect("this program runs");
        assert!(status.success());
    }
}
