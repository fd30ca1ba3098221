//! Hosts of a laboratory that an inventory names, and the program that manages them.

use super::{Lab, ended, keytrail};
use std::fs;
use std::path::{Path, PathBuf};

pub struct Managed {
    pub lab: Lab,
    pub inventory: PathBuf,
}

impl Managed {
    /// Nothing is done on the hosts yet.
    pub fn new(lab: Lab, inventory: &str) -> Self {
        let path = lab.dir.path().join("fleet.yaml");
        fs::write(&path, inventory).expect("the inventory");
        Self { lab, inventory: path }
    }

    pub fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    /// Changes the inventory, wherever it says that.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.inventory).expect("the inventory");
        assert!(text.contains(from), "{from} is not in:\n{text}");
        fs::write(&self.inventory, text.replace(from, to)).expect("the inventory");
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = keytrail(self.dir());
        command.args(words).arg(&self.inventory);
        command
    }

    /// Runs a verb with its words on the inventory: exit status, and all it said.
    #[track_caller]
    pub fn keytrail(&self, words: &[&str]) -> (i32, String) {
        ended(&mut self.command(words))
    }

    /// The same, and it must be done with nothing wrong.
    #[track_caller]
    pub fn good(&self, words: &[&str]) -> String {
        let (status, said) = self.keytrail(words);
        assert_eq!(status, 0, "{words:?}: {said}");
        said
    }

    /// What a verb answered, without what it said beside that.
    pub fn answer(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("keytrail runs");
        String::from_utf8(output.stdout).expect("text")
    }
}
