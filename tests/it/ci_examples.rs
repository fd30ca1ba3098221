//! The CI examples do what they say: their commands are taken out of the files and run by a shell, with this
//! build's keytrail in the PATH, in a checkout that is good and in one that is not.

use serde_yaml::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn yaml(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A checkout with one inventory in inventories/.
fn checkout(inventory: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("inventories")).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(inventory);
    std::fs::copy(from, dir.path().join("inventories/fleet.yaml")).unwrap();
    dir
}

const GOOD: &str = "inventories/red-green-blue.yaml";
const WARNING: &str = "tests/findings/password-literal.fail.yaml";
const CYCLE: &str = "tests/findings/trail-cycle.fail.yaml";
const MALFORMED: &str = "tests/inventories/invalid/syntax-bracket.yaml";

/// Runs a command as CI systems do: by a shell that stops at the first failure.
fn run(command: &str, dir: &TempDir) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_keytrail"));
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", command])
        .current_dir(dir.path())
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("GITHUB_WORKSPACE", dir.path())
        .env("GITHUB_STEP_SUMMARY", dir.path().join("summary"))
        .env("NO_COLOR", "1")
        .output()
        .expect("bash is installed")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn code(command: &str, inventory: &str) -> Option<i32> {
    run(command, &checkout(inventory)).status.code()
}

/// The commands of a sequence of strings.
fn lines(value: &Value) -> Vec<String> {
    let items = value.as_sequence().expect("a list of commands");
    items
        .iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// The one command that installs keytrail is not run here, but must install this package.
fn installs(command: &str) {
    assert_eq!(
        command,
        concat!("cargo install --locked ", env!("CARGO_PKG_NAME"))
    );
}

#[test]
fn the_github_workflow_works() {
    let workflow = yaml("examples/ci/github-workflow.yml");
    let steps = workflow["jobs"]["check"]["steps"].as_sequence().unwrap();
    let commands: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let [install, annotate, what_if, sarif] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    installs(install);

    assert_eq!(code(annotate, GOOD), Some(0));
    assert_eq!(code(annotate, WARNING), Some(1));
    assert_eq!(code(annotate, MALFORMED), Some(2));
    let shown = run(annotate, &checkout(CYCLE));
    assert_eq!(shown.status.code(), Some(1));
    let shown = stdout(&shown);
    assert!(
        shown.starts_with("::error file=inventories/fleet.yaml,line=7,"),
        "{shown}"
    );

    let dir = checkout(GOOD);
    let shown = stdout(&run(what_if, &dir));
    assert!(shown.contains("failure-makes-cycle"), "{shown}");
    assert_eq!(
        std::fs::read_to_string(dir.path().join("summary")).unwrap(),
        shown
    );

    for (inventory, findings) in [(GOOD, 0), (CYCLE, 1), (MALFORMED, 1)] {
        let dir = checkout(inventory);
        assert_eq!(run(sarif, &dir).status.code(), Some(0), "the annotations decide");
        let uploaded = steps.last().unwrap()["with"]["sarif_file"].as_str().unwrap();
        let log = std::fs::read_to_string(dir.path().join(uploaded)).unwrap();
        let log: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(
            log["runs"][0]["results"].as_array().unwrap().len(),
            findings,
            "{inventory}"
        );
    }
}

#[test]
fn the_gitlab_job_works() {
    let job = &yaml("examples/ci/gitlab-ci.yml")["keytrail"];
    let before = lines(&job["before_script"]);
    assert_eq!(before.len(), 1);
    installs(&before[0]);
    let script = lines(&job["script"]).join("\n");
    let report = job["artifacts"]["reports"]["junit"].as_str().unwrap();
    for (inventory, status) in [(GOOD, 0), (WARNING, 1), (CYCLE, 1), (MALFORMED, 2)] {
        let dir = checkout(inventory);
        assert_eq!(run(&script, &dir).status.code(), Some(status), "{inventory}");
        let text = std::fs::read_to_string(dir.path().join(report)).unwrap();
        let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
        assert_eq!(read.failures + read.errors > 0, status > 0, "{inventory}");
    }
    let after = lines(&job["after_script"]).join("\n");
    assert!(stdout(&run(&after, &checkout(GOOD))).contains("IF THIS FAILS"));
}

#[test]
fn the_pre_commit_hook_works() {
    let config = yaml("examples/ci/pre-commit-config.yaml");
    let hook = &config["repos"][0]["hooks"][0];
    let offered = &yaml(".pre-commit-hooks.yaml")[0];
    for field in ["id", "name", "entry", "args", "files", "pass_filenames"] {
        assert_eq!(hook[field], offered[field], "{field}");
    }
    let words = [
        vec![hook["entry"].as_str().unwrap().to_owned()],
        lines(&hook["args"]),
    ]
    .concat();
    let command = words.join(" ");
    assert_eq!(code(&command, GOOD), Some(0));
    assert_eq!(code(&command, WARNING), Some(0));
    assert_eq!(code(&command, CYCLE), Some(1));
    assert_eq!(code(&command, MALFORMED), Some(2));
}
