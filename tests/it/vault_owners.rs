//! Who opens the vault, from the command line: operators with a key of their own, and passphrases.

use crate::common::vaulted::{Site, ran};
use std::fs;

#[test]
fn a_second_operator_is_let_in_and_shut_out() {
    let site = Site::new();
    let ben = site.key_of("ben");
    site.run_as("ben", "vault check fleet.yaml")
        .refused(&["does not open"]);
    site.run("vault recipients add age1nonsense fleet.yaml")
        .refused(&["no age recipient"]);
    let added = site.run(&format!("vault recipients add {ben} --name ben fleet.yaml"));
    // Who could open it, who can now, and under which names.
    assert!(
        added.stderr.contains("Until now it was opened by") && !added.stderr.contains(&ben),
        "{}",
        added.stderr
    );
    let both = added.good();
    assert!(both.contains(&format!("{ben}  ben, since ")), "{both}");
    let both: Vec<&str> = both.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(both.len(), 2);
    let whole = site.run_as("ben", "vault check fleet.yaml").good();
    assert!(whole.contains("every value opens"), "{whole}");
    // Ben works with it, too.
    site.hosts(&["leaf", "late"]);
    site.run_as("ben", "apply fleet.yaml").good();
    let own = both.iter().find(|name| **name != ben).expect("ann's");
    site.run(&format!("vault recipients remove {own} fleet.yaml"))
        .refused(&["shut you out"]);
    let left = site.run(&format!("vault recipients remove {ben} fleet.yaml"));
    assert!(
        left.stderr.contains("sealed anew under a new data key"),
        "{}",
        left.stderr
    );
    assert!(left.stderr.contains("ben, since"), "{}", left.stderr);
    let left = left.good();
    assert!(left.starts_with(*own) && left.lines().count() == 1, "{left}");
    site.run_as("ben", "vault check fleet.yaml")
        .refused(&["does not open"]);
    let rekeyed = site.run("vault rekey fleet.yaml").good();
    assert!(rekeyed.contains(*own), "{rekeyed}");
    site.run_as("ben", "plan fleet.yaml").refused(&["does not open"]);
    site.run("vault check fleet.yaml").good();
}

#[test]
fn a_passphrase_opens_it_from_a_file_standard_input_or_a_command() {
    let site = Site::new();
    fs::write(site.path("pass"), "correct horse\n").expect("written");
    fs::write(site.path("wrong"), "battery staple\n").expect("written");
    site.run("vault rekey --new-passphrase-file pass fleet.yaml")
        .good();
    site.run("vault check fleet.yaml --passphrase-file wrong")
        .refused(&["does not open"]);
    for (option, value) in [("--passphrase-file", "pass"), ("--key-command", "cat pass")] {
        let check = site.command("ann", "vault check fleet.yaml");
        ran(check.args([option, value])).good();
    }
    // The other ways to give a key are no business of the command.
    fs::write(
        site.path("key.sh"),
        "[ -z \"$KEYTRAIL_PASSPHRASE$KEYTRAIL_KEY\" ] && cat pass\n",
    )
    .expect("written");
    let command = site
        .command("ann", "vault check fleet.yaml")
        .args(["--key-command", "sh key.sh"])
        .env("KEYTRAIL_PASSPHRASE", "battery staple")
        .env("KEYTRAIL_KEY", "battery staple");
    ran(command).good();
    let typed = site
        .command("ann", "plan --passphrase-file - fleet.yaml")
        .stdin("correct horse\n");
    let said = ran(typed);
    assert!(!said.stderr.contains("correct horse") && !said.stdout.contains("correct horse"));
    said.good();
    let twice = site
        .command("ann", "vault check fleet.yaml")
        .env("KEYTRAIL_PASSPHRASE", "correct horse")
        .env("KEYTRAIL_IDENTITY", "ann/keytrail/identity.agekey");
    ran(twice).refused(&["both set"]);
    let variable = site
        .command("ann", "vault check fleet.yaml")
        .env("KEYTRAIL_PASSPHRASE", "correct horse");
    ran(variable).good();
    let ben = site.key_of("ben");
    site.run(&format!(
        "vault recipients add {ben} --passphrase-file pass fleet.yaml"
    ))
    .refused(&["no recipients beside one", "rekey"]);
    site.run(&format!(
        "vault rekey --new-recipient {ben} --passphrase-file pass fleet.yaml"
    ))
    .good();
    site.run_as("ben", "vault check fleet.yaml").good();
}
