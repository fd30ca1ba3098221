//! Complaints of the logs in words: what is likely behind each, and what to do now.

use super::code::{Explanation, words};
use super::trouble::{NtsReason, Trouble};

const MINT: &str =
    "mint the host's media anew and apply: keytrail places whole files with the right first line and mode";
const APPLY: &str = "apply again: what is missing or differs on the host is placed before the restart";

pub(super) fn explanation(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::NtsCertificate { .. } | Trouble::NtsUnreachable { .. } | Trouble::NtsServerFiles(_) => {
            nts(trouble)
        }
        Trouble::KeyFileRejected(_)
        | Trouble::KeyFileUnreadable(_)
        | Trouble::KeyLineSkipped(_)
        | Trouble::KeyUnknown(_)
        | Trouble::KeyNotTrusted(_)
        | Trouble::KeyShort(_) => symmetric(trouble),
        Trouble::NoParameters(_)
        | Trouble::OtherGeneration { .. }
        | Trouble::IdentityNotVerified(_)
        | Trouble::IdentityUnusable(..) => identity(trouble),
        _ => start(trouble),
    }
}

#[expect(clippy::too_many_lines, reason = "a list, one arm for each complaint")]
fn start(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::WrongPassword => words(
            "the daemon could not decrypt its host key, sign key or server key and ended",
            &[
                "the password of crypto pw is not the one the key files were written with: only one of the two was changed",
                "there is no crypto pw line: the daemon then takes the host name as password",
                "client parameters were written with a password: they must have none",
            ],
            &["apply again: keys and the crypto line are written together, with one password"],
        ),
        Trouble::KeyDamaged(_) => words(
            "the daemon could not decode a private key and ended",
            &[
                "the file is cut off or damaged, or is no key at all",
                "client parameters are encrypted: the daemon asks for a pass phrase nobody can give",
                "the key's encryption is not in this host's OpenSSL",
            ],
            &[
                "the cryptostats tell which files were still read: host key, certificate, then server keys; the next one is the culprit",
                MINT,
            ],
        ),
        Trouble::FileEmpty(_) => words(
            "a key or certificate file has no content",
            &["a copy onto a full disk, or one broken off before anything was written"],
            &["check the disk's free space, then apply again"],
        ),
        Trouble::NoFilestamp(_) | Trouble::BadFilestamp(_) => words(
            "the daemon takes the filestamp from the end of a file's first line, after the last dot, and found none there",
            &[
                "the comment lines before the BEGIN line were cut off, by hand or by a program that rewrites PEM",
                "the first line was edited",
            ],
            &[MINT],
        ),
        Trouble::HostKeyMissing(_) => words(
            "the daemon found no usable host key under the name of its host and ended",
            &[
                "the link ntpkey_host_HOST is missing in keysdir, or keysdir names another directory or one that is not there",
                "HOST is the machine's own name unless crypto host says otherwise: it was renamed, or returns its full name",
                "the file may not be read (directory mode, AppArmor, SELinux)",
                "the line before this one in the log tells of its first line or of an empty file",
            ],
            &[APPLY],
        ),
        Trouble::CertificateMissing(_) => words(
            "the daemon found no usable certificate under the name of its host and ended",
            &[
                "the link ntpkey_cert_HOST is missing in keysdir",
                "the certificate was refused: the line before this one in the log tells why",
            ],
            &[APPLY],
        ),
        Trouble::CertificateDamaged(_) | Trouble::CertificateWrongPem(_) => words(
            "the file is there and has a filestamp, but no readable certificate",
            &["it is cut off, damaged, or another file was put under its name"],
            &[MINT],
        ),
        Trouble::CertificateTimes { stamp_late: true, .. } => words(
            "a certificate may not be older than its own filestamp",
            &[
                "the file got a new stamp in its first line without a new certificate",
                "the certificate's beginning was dated back",
            ],
            &["mint the certificate anew, so that stamp and beginning fit"],
        ),
        Trouble::CertificateTimes { .. } => words(
            "the lifetime of a certificate is empty or negative",
            &["a lifetime of 0 days, or one so long that the making program's arithmetic overflowed"],
            &["mint the certificate anew with a sensible lifetime"],
        ),
        Trouble::CertificateRefused(_) => words(
            "the daemon's checks refused a certificate",
            &[
                "it has no common name (names above 64 characters give such certificates), or a signature that does not verify",
                "two hosts name each other as issuer",
            ],
            &[MINT],
        ),
        Trouble::HostKeyNotRsa => words(
            "host keys must be RSA, because cookies are encrypted to them",
            &["a DSA key, a sign key or identity parameters lie under the host key's name"],
            &[MINT],
        ),
        Trouble::CertificateNotSelfSigned(_) => words(
            "the installed certificate must be the host's self-signed one",
            &["a certificate signed by a server, or one of an ordinary CA, was put in its place"],
            &[MINT],
        ),
        Trouble::SeedMissing(_) => words(
            "OpenSSL was built without a randomness source of its own and its seed file is missing",
            &["an OpenSSL from before 1.1, or a chroot without /dev/urandom"],
            &["give the daemon a randomness source; a seed file in every restart's way is no lasting remedy"],
        ),
        Trouble::Syntax { .. } => words(
            "a line of the configuration was not understood; what stands after it in the file was not read",
            &[
                "a keyword of another NTP implementation or version",
                "a daemon built without Autokey does not know crypto and autokey",
            ],
            &["correct the line and restart; the daemon runs, but perhaps without any association"],
        ),
        Trouble::CryptoTwice => words(
            "the crypto command was given more than once",
            &["a crypto line from before stands outside keytrail's lines"],
            &["remove it: all its words belong on one line"],
        ),
        Trouble::UnknownDigest(_) => words(
            "crypto digest names a digest that this OpenSSL does not know",
            &["a misspelled name, or one that only other hosts have"],
            &["use the same known digest on all hosts of the group; with different ones no packet passes"],
        ),
        Trouble::PortTaken => words(
            "another process already holds the NTP port",
            &["a second time service runs: chronyd, systemd-timesyncd, or the daemon was started twice"],
            &["stop and disable the other service, then restart"],
        ),
        Trouble::Signal(1) => words(
            "the daemon got SIGHUP, which ends ntp.org's ntpd and chronyd: it is no reload",
            &["a reload in the service manager, a logrotate script"],
            &["start it again, and take SIGHUP out of whatever sent it"],
        ),
        Trouble::Signal(_) => words(
            "the daemon was ended by a signal",
            &["a stop or restart of the service, a reboot, the kernel's out-of-memory killer"],
            &["start it again; if it was not meant, look at the system's log at that time"],
        ),
        _ => words(
            "the daemon ended by itself",
            &[
                "a word of the configuration that this implementation does not know, or an error inside the daemon",
            ],
            &["correct what the message names; where it names a bug, update the daemon"],
        ),
    }
}

fn identity(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::NoParameters(_) => words(
            "the server presents an identity scheme and the line has an ident, but the client parameters are not there",
            &[
                "ntpkey_iffpar_GROUP (gqpar, mvpar) is missing in keysdir, or the daemon's user may not read it",
                "the ident of the line is not the name of the server's group",
            ],
            &["apply again; parameters that were missing are found at the next try, without a restart"],
        ),
        Trouble::OtherGeneration { .. } => words(
            "parameters here and group key there are of different generations (103)",
            &["a rotation is half done"],
            &[
                "bring the server to the present generation first, then restart this host",
                "parameters once read are kept in memory under their name: a new file alone changes nothing",
            ],
        ),
        Trouble::IdentityNotVerified(_) => words(
            "the server's answer to the challenge does not fit this host's parameters (114)",
            &[
                "another group's key, or another generation under the same stamp",
                "with MV: this client was revoked",
                "files as ntp-keygen writes them, which this daemon misreads",
            ],
            &[
                "place the group's present key and parameters on both sides, then restart this host after its server",
            ],
        ),
        _ => words(
            "a part of the identity exchange is missing or of the wrong kind",
            &["parameters or a server key of another scheme lie under this name"],
            &[MINT],
        ),
    }
}

fn symmetric(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::KeyFileRejected(_) => words(
            "one malformed line makes ntp.org's daemon drop the whole key file; after a reread it keeps its old keys",
            &[
                "an id outside 1 to 65535, a key of more than 20 characters that is not hexadecimal, words after the key",
            ],
            &["apply again with key files written for this implementation"],
        ),
        Trouble::KeyFileUnreadable(_) => words(
            "the key file could not be opened; the daemon has no keys, or keeps those it had",
            &[
                "it is missing, or its mode does not let the daemon's user read it: chronyd rereads after it gave up root",
                "AppArmor: Debian's profiles allow only the packaged paths",
            ],
            &["place it under the packaged path, with the daemon's group and mode 0640"],
        ),
        Trouble::KeyLineSkipped(_) => words(
            "a line of the key file means nothing to this implementation; its key is missing",
            &[
                "a key file written for another implementation: types and HEX: are spelled differently in each",
            ],
            &["apply again with key files written for this implementation"],
        ),
        Trouble::KeyUnknown(_) => words(
            "an association asks for a key that the key file does not hold; nothing is sent",
            &["the file was not placed or not reread, or its line was skipped"],
            &["place the key, then restart, or reread where the daemon can"],
        ),
        Trouble::KeyNotTrusted(_) => words(
            "the key is there, but no trustedkey line names it; nothing is sent",
            &["the id is missing in trustedkey, or a second trustedkey line replaced the first (ntp.org)"],
            &["write one trustedkey line with all ids and restart"],
        ),
        _ => words(
            "the key has less than 80 bits",
            &["a hexadecimal key without HEX: is taken as text by chrony, a short word as it is"],
            &["use AES-128-CMAC with 16 random bytes"],
        ),
    }
}

fn nts(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::NtsCertificate { reason, .. } => match reason {
            NtsReason::Expired => words(
                "the server's certificate is past its end",
                &[
                    "it was not renewed, or the server was not told: NTPsec reloads on SIGHUP, chronyd needs a restart",
                ],
                &[
                    "renew it; then SIGHUP an NTPsec client, or delete and add the source on a chrony client, since both wait long before they try again",
                ],
            ),
            NtsReason::NotYetValid => words(
                "by this host's clock the server's certificate does not begin yet",
                &[
                    "this host's clock is behind: without NTS no time, without time no NTS",
                    "the certificate begins in the future",
                ],
                &[
                    "set this host's clock roughly by other means, then let it try again; mint certificates that begin an hour or more back",
                ],
            ),
            NtsReason::UnknownIssuer => words(
                "no root certificate of this host leads to the server's certificate",
                &[
                    "the group's root was not placed here, or is another one than the server's",
                    "the server does not send its intermediate certificate",
                    "an NTPsec client has only an intermediate as its anchor: it needs the self-signed root",
                ],
                &["place the group's root, and name it on the line (ca) or in ntstrustedcerts"],
            ),
            NtsReason::WrongName => words(
                "the name on this host's server line is not among the certificate's names",
                &[
                    "a server line with an address and a certificate with names only, or the other way round",
                    "a wildcard with one label left",
                ],
                &["mint the certificate with every name and address that clients write"],
            ),
            NtsReason::Other(_) => words(
                "the certificate was refused",
                &["a key too small, a purpose that does not fit"],
                &["mint it with P-256 or RSA 2048, serverAuth, not a CA"],
            ),
        },
        Trouble::NtsUnreachable { .. } => words(
            "no connection to the server's key establishment port, TCP 4460",
            &[
                "the server has no NTS, or could not load its certificate (chronyd then runs on without it)",
                "a firewall",
            ],
            &["check the server's log and that TCP 4460 is open; then make the client try again"],
        ),
        _ => words(
            "the NTS server could not load its certificate or key; NTPsec ends, chronyd runs on without NTS",
            &[
                "the key is not readable for the daemon's user after it gave up root: it needs its group and mode 0640",
                "the key is encrypted, or does not belong to the certificate",
                "the directory for cookie keys is not writable for the daemon's user",
            ],
            &["correct owner and mode, then restart"],
        ),
    }
}
