//! A host that waits for word while its way back is open.

use crate::breakages::mortal_daemon;
use crate::fleet::Fleet;
use crate::kills::{kill_of, signal};
use std::time::{Duration, Instant};

/// A host that waits for word when its controller or its connection dies goes back within seconds, and never keeps what
/// nobody has found good.
#[test]
fn a_watched_host_goes_back_when_no_word_comes() {
    let mut fleet = Fleet::new(|lab, host| {
        if host != "leaf2" {
            return Vec::new();
        }
        mortal_daemon(lab);
        vec![lab.path_line()]
    });
    let watched = ", verify: start, restart: 'daemon 60'";
    fleet.write(watched);
    let (status, said) = fleet.keytrail("apply", &[]);
    assert_eq!(status, 0, "{said}");
    for what in ["kill -9", "kill -9 with its connections", "connections cut"] {
        let before = fleet.states();
        fleet.next_state(watched);
        let mut controller = fleet.start();
        let end = Instant::now() + Duration::from_secs(60);
        while fleet.conf("leaf2") == before["leaf2"]["ntp/keytrail.conf"] {
            assert!(Instant::now() < end, "{what}: leaf2 never changed");
            std::thread::sleep(Duration::from_millis(20));
        }
        if what.starts_with("kill") {
            signal(controller.id(), "-KILL");
        }
        // With "kill -9" alone the master outlives its controller, but the session of a script does not.
        if what != "kill -9" {
            kill_of(&fleet.tmp(), "ssh");
        }
        let ended = controller.wait().expect("it ended").code();
        if !what.starts_with("kill") {
            let said = fleet.said();
            assert_eq!(ended, Some(1), "{said}");
            for words in [
                "leaf2: activate failed: connection lost",
                "before the host heard that its daemon is well",
                "it goes back by itself, files and daemon",
            ] {
                assert!(said.contains(words), "{words:?} is not said: {said}");
            }
        }
        fleet.settle();
        assert_eq!(fleet.in_use("leaf2"), before["leaf2"], "{what}");
        let (status, said) = fleet.keytrail("apply", &[]);
        assert_eq!(status, 0, "{what}: {said}");
        fleet.tidy();
    }
}
