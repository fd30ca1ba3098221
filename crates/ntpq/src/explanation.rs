//! What went wrong, in words that are kept as Markdown beside the code (`explanations/`).

use serde::Serialize;

/// Something that went wrong, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What the daemon means: one sentence.
    pub meaning: &'static str,
    /// What is behind it, likeliest first.
    pub causes: Vec<&'static str>,
    /// What to do now, in order.
    pub remedies: Vec<&'static str>,
}

/// The explanation in a file of `explanations/`, by its path there without the ending.
macro_rules! explanation {
    ($path:literal) => {
        $crate::explanation::read(include_str!(concat!("../explanations/", $path, ".md")))
    };
}
pub(crate) use explanation;

/// Reads a file: a heading for whoever opens it, the meaning, and two lists, each item on a line of its own.
pub(crate) fn read(text: &'static str) -> Explanation {
    let mut explanation = Explanation {
        meaning: "",
        causes: Vec::new(),
        remedies: Vec::new(),
    };
    let mut remedies = false;
    for line in text.lines() {
        if let Some(item) = line.strip_prefix("- ") {
            let list = if remedies {
                &mut explanation.remedies
            } else {
                &mut explanation.causes
            };
            list.push(item);
        } else if line == "## Remedies" {
            remedies = true;
        } else if !line.is_empty() && !line.starts_with('#') {
            explanation.meaning = line;
        }
    }
    explanation
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn below(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                below(&path, ending, found);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_file_says_all_three_things_and_is_used() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut files, mut sources) = (Vec::new(), Vec::new());
        below(&root.join("explanations"), "md", &mut files);
        below(&root.join("src"), "rs", &mut sources);
        let sources: Vec<String> = sources
            .iter()
            .map(|path| fs::read_to_string(path).expect("a source"))
            .collect();
        assert!(files.len() > 60, "{}", files.len());
        for file in files {
            let text = fs::read_to_string(&file).expect("an explanation").leak();
            let told = super::read(text);
            assert!(!told.causes.is_empty() && !told.remedies.is_empty(), "{file:?}");
            // It stands within sentences.
            assert!(
                !told.meaning.is_empty() && !told.meaning.ends_with('.'),
                "{file:?}"
            );
            let lines = text
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            let read = 1 + told.causes.len() + told.remedies.len();
            assert_eq!(lines.count(), read, "{file:?} has a line that is not read");
            let path = file
                .strip_prefix(root.join("explanations"))
                .expect("below")
                .with_extension("");
            let used = format!("explanation!(\"{}\")", path.display());
            assert!(
                sources.iter().any(|source| source.contains(&used)),
                "{used} is nowhere"
            );
        }
    }
}
