//! Two hosts whose daemons answer as the real ones did in some state.

use super::Lab;
use super::managed::Managed;
use std::fs;

/// Trusted host th, whose daemon is well, and mid, whose daemon answers as it did in `state`.
pub fn asked(state: &str) -> Managed {
    let mut lab = Lab::new();
    let golden = format!("{}/tests/golden/ntpq", env!("CARGO_MANIFEST_DIR"));
    // The outputs are of that day; a proof of six days ago would be another story.
    lab.program(
        "date",
        "#!/bin/sh\n[ \"$*\" = +%s ] || exec /bin/date \"$@\"\necho 1795192905\n",
    );
    for (host, state) in [("th", "ok-th"), ("mid", state)] {
        let bin = lab.dir.path().join(format!("{host}-bin"));
        fs::create_dir(&bin).expect("a directory");
        let program = lab.program(
            &format!("ntpq-{host}"),
            &format!(
                "#!/bin/sh\nat={golden}/{state}\n[ -e $at.as.txt ] || {{ echo 'ntpq: read: Connection refused'; exit 1; }}\n\
                 case \"$*\" in\n*' as '*) cat $at.as.txt ;;\n*'rv 0 host'*) cat $at.rv-crypto.txt ;;\n\
                 *'rv 0 '*) cat $at.rv.txt ;;\n*) cat $at.rv-assoc.txt $at.rv-clock.txt 2>/dev/null ;;\nesac\n"
            ),
        );
        std::os::unix::fs::symlink(program, bin.join("ntpq")).expect("a link");
        let line = format!(
            "SetEnv PATH={}:{}:/usr/bin:/bin",
            bin.display(),
            lab.dir.path().join("bin").display()
        );
        let root = lab.start_bare(host, &[&line], "statsdir /stats/\n");
        fs::create_dir(root.join("stats")).expect("a directory");
        if let Ok(said) = fs::read(format!("{golden}/{state}.cryptostats.txt")) {
            fs::write(root.join("stats/cryptostats"), said).expect("cryptostats");
        }
    }
    let text = format!(
        "version: 1
defaults:
{way}  conf: /etc/ntp.conf
  verify: auth
groups:
  red: {{ identity: iff, trusted: [th] }}
hosts:
  th: {{ group: red, address: 10.77.0.1, reference_clock: true }}
  mid: {{ group: red, address: 10.77.0.2, servers: [{{ host: th, minpoll: 3 }}] }}
",
        way = lab.way(),
    );
    Managed::new(lab, &text)
}

impl Managed {
    pub fn verify(&self, more: &[&str]) -> (i32, String) {
        self.keytrail(&[&["verify"], more].concat())
    }
}
