//! What others do to a vault between reading it and holding its lock.

use super::*;
use std::time::Duration;

#[test]
fn who_waited_for_a_restore_does_not_write_to_what_was_set_aside() {
    let fixture = Fixture::new();
    let vault = filled(&fixture);
    let backup = fixture.dir.path().join("b.vault");
    vault.backup(&backup).unwrap();
    vault.in_place().unwrap();
    let lock = Lock::take(&fixture.path(), "restore", Duration::ZERO).unwrap();
    restore(&backup, &fixture.path(), &fixture.key, &lock, NOW).unwrap();
    drop(lock);
    let refused = vault.in_place().unwrap_err();
    assert!(matches!(&refused, Error::Replaced { .. }), "{refused}");
    fixture.open().unwrap().in_place().unwrap();
    fs::remove_file(fixture.path()).unwrap();
    assert!(vault.in_place().is_err());
}

#[test]
fn states_that_another_keeps_are_noticed_without_a_generation() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let other = fixture.open().unwrap();
    let read = other.states_digest().unwrap();
    other.same_states(read).unwrap();
    vault.set_state("revoked", Some(&content("mv1"))).unwrap();
    assert!(matches!(other.same_states(read), Err(Error::StatesMoved { .. })));
    let read = other.states_digest().unwrap();
    // What daemons were seen to do is no state of a verb.
    let seen = Verified {
        at: NOW,
        level: "auth".into(),
        good: true,
        detail: String::new(),
    };
    vault.set_verified([("mort", &seen)]).unwrap();
    other.same_states(read).unwrap();
    vault.set_state("revoked", None).unwrap();
    assert!(matches!(other.same_states(read), Err(Error::StatesMoved { .. })));
}
