//! The README is run: its inventory is checked and planned, and the program says what stands there.

use crate::common::stamps::without_stamps;
use snapbox::cmd::{Command, cargo_bin};
use std::fs;
use std::path::Path;

struct Block {
    language: String,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block {
                language: language.to_owned(),
                text: text.join("\n") + "\n",
            });
        }
    }
    blocks
}

/// What changes from run to run: filestamps, and the directory that stands for the hosts.
fn steady(text: &str) -> String {
    without_stamps(text, "FILESTAMP").trim().to_owned()
}

fn keytrail(dir: &Path, line: &str) -> String {
    let output = Command::new(cargo_bin!("keytrail"))
        .args(line.split_whitespace().skip(1))
        .current_dir(dir)
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .env_remove("KEYTRAIL_IDENTITY")
        .output()
        .expect("keytrail runs");
    assert_ne!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_console_block_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut readme = fs::read_to_string(&path).expect("README.md");
    let dir = tempfile::tempdir().expect("a directory");
    let campus = dir.path().join("campus.yaml");
    let bless = std::env::var_os("KEYTRAIL_BLESS").is_some();
    let mut run = 0;
    for block in blocks(&readme.clone()) {
        match block.language.as_str() {
            "yaml" => fs::write(&campus, &block.text).expect("campus.yaml"),
            "console" => {
                let (command, expected) = block.text.split_once('\n').expect("a command line");
                let line = command.strip_prefix("$ ").expect("a prompt");
                if line.contains(" plan ") {
                    // As the text says: cyan follows howland. The hosts are directories here.
                    let text = fs::read_to_string(&campus).expect("campus.yaml");
                    let local = format!(
                        "version: 1\ndefaults: {{ connection: local, root: \"{}/{{host}}\" }}",
                        dir.path().display()
                    );
                    let text = text
                        .replace("servers: [yellow]", "servers: [howland]")
                        .replace("version: 1", &local);
                    fs::write(&campus, text).expect("campus.yaml");
                    fs::create_dir_all(dir.path().join("yellow/etc")).expect("yellow");
                }
                let said = keytrail(dir.path(), line);
                if bless {
                    readme = readme.replace(&block.text, &format!("{command}\n{}\n", said.trim_end()));
                } else {
                    assert_eq!(steady(&said), steady(expected), "{line}");
                }
                run += 1;
            }
            _ => {}
        }
    }
    assert!(run >= 2, "the README shows a check and a plan");
    if bless {
        fs::write(&path, readme).expect("README.md");
    }
}

#[test]
fn every_link_of_the_readme_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    let broken: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !root.join(target).exists())
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}
