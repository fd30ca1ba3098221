//! How a verb ended, and what it said where.

pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            status: output.status.code().expect("an exit status"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// It was done with nothing wrong: what it answered.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// It could not run, and says all this of it.
    #[track_caller]
    pub fn refused(self, because: &[&str]) {
        assert_eq!(self.status, 2, "{}{}", self.stdout, self.stderr);
        for part in because {
            assert!(self.stderr.contains(part), "{part}: {}", self.stderr);
        }
    }
}
