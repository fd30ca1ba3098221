//! Old generations and old runs, and what of them must stay.

use super::*;

#[test]
fn pruning_removes_what_only_old_generations_had() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    for number in 2..=5 {
        renew(&mut vault, number);
    }
    let stamp = vault.snapshot().unwrap().last_filestamp;
    let gone = vault.prunable(1, None, &|_| true).unwrap();
    assert_eq!(gone, [1, 2, 3].map(GenerationId));
    let four = vault.snapshot_at(Some(GenerationId(4))).unwrap();
    let removed = vault.prune(&gone, NOW).unwrap();
    // Keys of generations 1 to 3; the password of each; macabre's things are in force.
    assert_eq!((removed.files, removed.secrets), (3, 3));
    assert!(vault.check().unwrap().is_empty());
    let snapshot = vault.snapshot().unwrap();
    assert_eq!(snapshot.last_filestamp, stamp);
    assert_eq!(vault.password("mort").unwrap(), Some(content("MARKER-PW-5")));
    assert_eq!(snapshot.media("macabre").len(), 1);
    assert_eq!(
        vault.snapshot_at(Some(GenerationId(4))).unwrap().media("mort"),
        four.media("mort")
    );
    for (wanted, pruned) in [(3, true), (9, false)] {
        let refused = vault.snapshot_at(Some(GenerationId(wanted))).err().unwrap();
        assert!(
            matches!(&refused, Error::NoGeneration { pruned: was, .. } if *was == pruned),
            "{refused}"
        );
        assert!(refused.to_string().ends_with("; it has 4, 5"), "{refused}");
    }
    assert_eq!(vault.generations().unwrap().len(), 5);
    assert_eq!(vault.prunable(1, None, &|_| true).unwrap(), []);
    renew(&mut vault, 6);
    assert!(vault.check().unwrap().is_empty());
}

#[test]
fn the_latest_filestamp_outlives_what_had_it() {
    let fixture = Fixture::new();
    let mut vault = fixture.create();
    for number in 1..=3u32 {
        let mut generation = begin(&mut vault);
        if number == 1 {
            let group = NewSecret {
                kind: SecretKind::Group(GroupScheme::Gq),
                filestamp: Some(Filestamp(4_000_000_000)),
                ..password("red", leak("numbers"))
            };
            generation.secret(&group).unwrap();
        } else {
            generation
                .end_secret(SecretKind::Group(GroupScheme::Gq), "red")
                .unwrap();
            generation.secret(&password("mort", leak("pw"))).unwrap();
        }
        generation.commit().unwrap();
    }
    let gone = vault.prunable(0, None, &|_| true).unwrap();
    assert_eq!(gone, [GenerationId(1)]);
    assert_eq!(vault.prune(&gone, NOW).unwrap().secrets, 1);
    assert_eq!(
        vault.snapshot().unwrap().last_filestamp,
        Some(Filestamp(4_000_000_000))
    );
}

#[test]
fn a_host_that_left_keeps_no_generation_and_old_runs_lose_their_results() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let run = |vault: &mut Vault, host: &str, generation: u32| {
        let run = vault
            .start_run(&Run {
                command: "apply",
                operator: "ann",
                generation: Some(GenerationId(generation)),
                started: NOW,
            })
            .unwrap();
        let result = HostResult {
            host: host.into(),
            outcome: Outcome::Applied,
            generation: Some(GenerationId(generation)),
            detail: String::new(),
            at: NOW + i64::from(generation),
        };
        vault.record(run, &[result]).unwrap();
        vault.end_run(run, "done", NOW).unwrap();
    };
    run(&mut vault, "gone", 1);
    for number in 2..=5 {
        renew(&mut vault, number);
        run(&mut vault, "mort", number);
    }
    assert_eq!(
        vault.prunable(1, None, &|_| true).unwrap(),
        [2, 3].map(GenerationId)
    );
    assert_eq!(
        vault.prunable(1, None, &|host| host != "gone").unwrap(),
        [1, 2, 3].map(GenerationId)
    );
    assert_eq!(vault.prunable_results(5).unwrap(), (Vec::new(), 0));
    let (old, results) = vault.prunable_results(2).unwrap();
    assert_eq!((old.len(), results), (3, 3));
    let changed = vault.changed().unwrap();
    vault.prune_results(&old).unwrap();
    assert_eq!(vault.changed().unwrap(), changed);
    assert_eq!(vault.prunable_results(2).unwrap(), (Vec::new(), 0));
    let runs = vault.runs().unwrap();
    assert_eq!(runs.len(), 5, "that they were stays");
    let left: Vec<usize> = runs
        .iter()
        .map(|run| vault.results(run.id).unwrap().len())
        .collect();
    assert_eq!(left, [0, 0, 0, 1, 1]);
    assert_eq!(runs[1].outcome.as_deref(), Some("done; results removed"));
    assert_eq!(runs[3].outcome.as_deref(), Some("done"));
    assert_eq!(vault.applied().unwrap()["gone"].generation, GenerationId(1));
    assert!(vault.check().unwrap().is_empty());
}

/// What a host's state is judged by is told by the oldest of runs.
#[test]
fn when_hosts_were_changed_is_known_without_the_runs() {
    use Outcome::{Applied, Failed, RolledBack, Unchanged};
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let mut at = NOW;
    let mut run = |vault: &mut Vault, results: &[(&str, Outcome, u32)]| {
        let run = vault
            .start_run(&Run {
                command: "apply",
                operator: "ann",
                generation: None,
                started: at,
            })
            .unwrap();
        let results = results.iter().map(|(host, outcome, generation)| {
            at += 1;
            HostResult {
                host: (*host).into(),
                outcome: *outcome,
                generation: Some(GenerationId(*generation)),
                detail: String::new(),
                at,
            }
        });
        vault.record(run, &results.collect::<Vec<_>>()).unwrap();
    };
    run(&mut vault, &[("th", Applied, 1), ("leaf", Applied, 1)]);
    let mut generation = begin(&mut vault);
    let gq = NewSecret {
        kind: SecretKind::Group(GroupScheme::Gq),
        ..password("red", leak("numbers"))
    };
    generation.secret(&gq).unwrap();
    generation.commit().unwrap();
    run(&mut vault, &[("th", Applied, 2)]);
    run(&mut vault, &[("leaf", Applied, 2), ("mid", RolledBack, 1)]);
    renew(&mut vault, 3);
    run(&mut vault, &[("th", Applied, 3), ("leaf", Unchanged, 3)]);
    run(&mut vault, &[("leaf", Failed, 2), ("th", Unchanged, 3)]);
    let known = |vault: &Vault| {
        let since = [1, 2, 3].map(|since| vault.brought(GenerationId(since)).unwrap());
        (vault.changed().unwrap(), since)
    };
    let before = known(&vault);
    let (old, results) = vault.prunable_results(0).unwrap();
    assert_eq!((old.len(), results), (5, 9));
    vault.prune_results(&old).unwrap();
    let after = known(&vault);
    assert_eq!(after.0, before.0);
    assert_eq!(after.1, before.1);
    vault.prune(&[GenerationId(1), GenerationId(2)], NOW).unwrap();
    let pruned = known(&vault);
    assert_eq!(pruned.0, before.0);
    assert_eq!(pruned.1[1], before.1[1], "since the GQ key came");
    assert_ne!(pruned.1[0], before.1[0]);
    assert!(vault.check().unwrap().is_empty());
    assert_eq!(vault.prunable_results(0).unwrap().1, 0);
}
