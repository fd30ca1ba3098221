//! Two hosts whose daemons answer as the real ones did in some state.

use super::{Lab, ended, keytrail};
use std::fs;
use std::path::PathBuf;

pub struct Asked {
    pub lab: Lab,
    pub inventory: PathBuf,
}

impl Asked {
    /// Trusted host th, whose daemon is well, and mid, whose daemon answers as it did in `state`.
    pub fn new(state: &str) -> Self {
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
            lab.start(host, &[&line]);
            let etc = lab.dir.path().join("hosts").join(host).join("etc");
            fs::create_dir_all(&etc).expect("a root directory");
            let written = lab.dir.path().join("hosts").join(host).join("stats");
            fs::create_dir_all(&written).expect("a directory");
            fs::write(etc.join("ntp.conf"), "statsdir /stats/\n").expect("ntp.conf");
            if let Ok(said) = fs::read(format!("{golden}/{state}.cryptostats.txt")) {
                fs::write(written.join("cryptostats"), said).expect("cryptostats");
            }
        }
        let inventory = lab.dir.path().join("fleet.yaml");
        let text = format!(
            "version: 1
defaults:
  ssh: {{ host: \"{{host}}\", config: {config} }}
  root: \"{dir}/hosts/{{host}}\"
  conf: /etc/ntp.conf
  verify: auth
groups:
  red: {{ identity: iff, trusted: [th] }}
hosts:
  th: {{ group: red, address: 10.77.0.1, reference_clock: true }}
  mid: {{ group: red, address: 10.77.0.2, servers: [{{ host: th, minpoll: 3 }}] }}
",
            config = lab.servers.config().display(),
            dir = lab.dir.path().display(),
        );
        fs::write(&inventory, text).expect("the inventory");
        Self { lab, inventory }
    }

    pub fn verify(&self, more: &[&str]) -> (i32, String) {
        let mut command = keytrail(self.lab.dir.path());
        ended(command.arg("verify").arg(&self.inventory).args(more))
    }
}
