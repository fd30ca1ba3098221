//! What the verbs print and with which exit status they end: tests/cmd holds the commands and their output, run
//! from the project's root. `TRYCMD=overwrite cargo test --test it cli` rewrites the output: read the difference.

#[test]
fn every_verb_prints_what_its_golden_says() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        // Nothing of the machine that runs the tests.
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("GITHUB_WORKSPACE", "")
        .env("CI_PROJECT_DIR", "");
}
