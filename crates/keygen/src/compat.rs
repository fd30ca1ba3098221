//! Where keygen differs from ntp-keygen 4.2.8p15: the one list that `keytrail keygen --compat` prints and
//! docs/keygen.md shows.

use std::fmt::Write as _;

/// One difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: options or words of the field.
    pub about: &'static str,
    /// What ntp-keygen 4.2.8p15 does, on OpenSSL 3.
    pub stock: &'static str,
    /// What keygen does.
    pub here: &'static str,
}

const fn differs(about: &'static str, stock: &'static str, here: &'static str) -> Difference {
    Difference { about, stock, here }
}

/// All of them, by what they are about.
pub const DIFFERENCES: &[Difference] = &[
    differs(
        "exit status",
        "0 after many failures, 1 or 255 after others",
        "0 only if everything asked for was done, else 2, and every reason is named",
    ),
    differs(
        "writing",
        "file by file as the run goes on; a failure leaves those before it",
        "all in memory first, then aside, synced and renamed, links last; a failure before leaves nothing",
    ),
    differs(
        "modes",
        "0640 for everything",
        "0600 private, 0644 certificates; set before the content",
    ),
    differs("date in the header", "local time", "UTC"),
    differs(
        "filestamps",
        "new files take the stamp of the last key read, so a renewed certificate overwrites the old one and its \
         neighbours ignore it",
        "every new file has a later stamp than any before it under that name",
    ),
    differs(
        "links of group keys",
        "under the host's name, but looked for under the group's",
        "under both; keys are found under either",
    ),
    differs(
        "-e, -q",
        "nothing and exit 0 if the key is not found; the certificate is written again every time",
        "an error if there is no key; nothing is written unless something else is asked for",
    ),
    differs(
        "-e with -q",
        "the server key is made from blanked numbers and useless",
        "both are right; with several on one output a warning says so",
    ),
    differs(
        "IFF client, MV files",
        "PKCS#8, where the public value is lost: error 114 for ever",
        "traditional DSA, which keeps it; --dialect documented for the stock layout",
    ),
    differs(
        "GQ files",
        "numbers in fields the daemon does not look at: error 114 for ever",
        "in those it takes; a stock key that is found is written again; --dialect documented for the stock layout",
    ),
    differs(
        "-b",
        "default 256, with which IFF and GQ fail, exit 0; 1024 makes a GQ value the daemon cannot read",
        "default IFF 1024, GQ 1008, MV 512 or as many as its clients need; what cannot work is refused",
    ),
    differs(
        "-m",
        "256 to 2048, default 512",
        "512 to 4096, default 2048; a DSA sign key 512 to 2048, default 1024",
    ),
    differs(
        "-c",
        "default RSA-MD5; unknown ones are refused after the host key was written; too big digests give no certificate, \
         exit 0",
        "default RSA-SHA256, or that of the old certificate; refused before anything is written",
    ),
    differs(
        "-S DSA",
        "needs -c; its certificate cannot be renewed without -c; accepted for servers, whose clients refuse it (105)",
        "scheme chosen to fit; refused with -T, -P, -I, -G, -V",
    ),
    differs(
        "-C",
        "default des-ede3-cbc; others OpenSSL 3 lacks give a file without a key, exit 0",
        "default aes-256-cbc; those are refused",
    ),
    differs(
        "-p",
        "default the machine's name; a wrong one is printed; '' accepted",
        "default the name in -s or the machine's, with a warning; never printed; '' refused; --password-file or \
         KEYTRAIL_KEYGEN_PASSWORD keep it out of the process list",
    ),
    differs(
        "-i, group",
        "default for identity and symmetric key files the machine's name, whatever -s says",
        "default the group of the old certificate, else the host name in -s",
    ),
    differs(
        "renewal",
        "a trusted or private certificate keeps its name whatever -i says; a GQ value is lost if the group changes",
        "role, scheme and group are kept unless named; -i changes the name; the loss of a GQ value is an error",
    ),
    differs(
        "names over 64 bytes",
        "a certificate without a name, exit 0",
        "refused",
    ),
    differs(
        "-l",
        "no limits; 50000 days give 289, -5 give 136 years",
        "1 to 49710 days",
    ),
    differs("-T with -P", "-P is ignored", "refused"),
    differs("-M with others", "the others are ignored", "refused"),
    differs(
        "-V n",
        "key n never works, -V 1 makes no working key, -V 0 crashes; no file for servers",
        "n working keys, 2 or more; mvkey written and linked for the trusted host",
    ),
    differs("-V with -e", "client 1 only", "--client J for each of them"),
    differs(
        "-v",
        "no effect",
        "-v J[,J…] shuts clients out, --readmit lets them in again; filestamps stay, clients need no new files",
    ),
    differs(
        "plain files under generic names",
        "deleted when a link takes their place",
        "kept under the name on their first line, or refused",
    ),
    differs(
        "links to nothing",
        "a new key is made",
        "an error, unless that key is to be new",
    ),
    differs(
        "-d, -D",
        "prints private numbers",
        "says what was kept and made; never a private number",
    ),
    differs(
        "presets",
        "NTP_KEYGEN_* variables and .ntprc files",
        "not read; options come from the command line alone",
    ),
];

/// The list as a table in Markdown.
pub fn markdown() -> String {
    let mut table = String::from("| about | ntp-keygen 4.2.8p15 | keytrail keygen |\n|---|---|---|\n");
    for Difference { about, stock, here } in DIFFERENCES {
        let _ = writeln!(table, "| {about} | {stock} | {here} |");
    }
    table
}
