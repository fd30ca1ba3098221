//! What `keytrail check` spends its time on, by size: `cargo bench --bench check`. The whole program beside a
//! Python script: `scripts/bench-check.sh`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use time::macros::date;

/// Waivers expire by date: a fixed one keeps runs comparable.
const TODAY: time::Date = date!(2026 - 01 - 01);

const HEAD: &str = "version: 1\ngroups:\n  fleet: { identity: gq, trusted: [top] }\nhosts:\n  \
                    top: { group: fleet, reference_clock: true }\n";

/// The fleet of `scripts/bench_fleet.py`: 1 % intermediate servers, leaves with two servers each.
fn tree(hosts: usize) -> String {
    let middles = (hosts / 100).max(2);
    let mut text = String::from(HEAD);
    for i in 0..middles {
        writeln!(text, "  mid{i:05}: {{ group: fleet, servers: [top] }}").expect("writing to a String");
    }
    for i in 0..hosts - middles - 1 {
        let (one, other) = (i % middles, (i + 1) % middles);
        writeln!(
            text,
            "  leaf{i:07}: {{ group: fleet, servers: [mid{one:05}, mid{other:05}] }}"
        )
        .expect("writing to a String");
    }
    text
}

/// Every host the server of the next: as deep as it is long.
fn chain(hosts: usize) -> String {
    let mut text = String::from(HEAD);
    let mut up = String::from("top");
    for i in 1..hosts {
        writeln!(text, "  h{i:07}: {{ group: fleet, servers: [{up}] }}").expect("writing to a String");
        up = format!("h{i:07}");
    }
    text
}

fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    for hosts in [1_000, 10_000, 100_000] {
        let text = tree(hosts);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(hosts), &text, |b, text| {
            b.iter_with_large_drop(|| {
                keytrail::inventory::load_str(black_box(text)).expect("the fleet loads")
            });
        });
    }
    group.finish();
}

fn analyse(c: &mut Criterion) {
    let mut group = c.benchmark_group("analyse");
    group.sample_size(10);
    for (shape, fleet) in [("tree", tree as fn(usize) -> String), ("chain", chain)] {
        for hosts in [1_000, 10_000, 100_000] {
            let inventory = keytrail::inventory::load_str(&fleet(hosts)).expect("the fleet loads");
            group.throughput(Throughput::Elements(hosts as u64));
            group.bench_with_input(BenchmarkId::new(shape, hosts), &inventory, |b, inventory| {
                b.iter_with_large_drop(|| keytrail::trail::analyse(black_box(inventory), TODAY));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, load, analyse);
criterion_main!(benches);
