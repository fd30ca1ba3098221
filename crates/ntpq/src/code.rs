//! The errors of the Autokey protocol, 101 to 115, in words: what the daemon means, what is likely behind it, what
//! to do now. After the manual's list (authopt) and what was measured on ntp.org 4.2.8p15.

use super::cryptostats::{ErrorLine, Step};
use serde::Serialize;
use std::fmt;

/// An error of the Autokey protocol by its documented number. cryptostats write it as hexadecimal 0x100 + n where
/// the manual says 100 + n: `10e` is 114.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ErrorCode(u16);

impl ErrorCode {
    /// From the documented number; `None` outside 101–115.
    pub fn new(number: u16) -> Option<Self> {
        (101..=115).contains(&number).then_some(Self(number))
    }

    /// From the event as cryptostats write it.
    pub(super) fn from_event(event: u16) -> Option<Self> {
        Self::new(event.checked_sub(0x100)?.checked_add(100)?)
    }

    /// The documented number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The field's name for it.
    pub fn name(self) -> &'static str {
        match self.0 {
            101 => "bad field format or length",
            102 => "bad timestamp",
            103 => "bad filestamp",
            104 => "bad or missing public key",
            105 => "unsupported digest type",
            106 => "unsupported identity type",
            107 => "bad signature length",
            108 => "signature not verified",
            109 => "certificate not verified",
            110 => "host certificate expired",
            111 => "bad or missing cookie",
            112 => "bad or missing leapseconds table",
            113 => "bad or missing certificate",
            114 => "bad or missing group key",
            _ => "protocol error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name())
    }
}

/// Something that went wrong, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What the daemon means: one sentence.
    pub meaning: &'static str,
    /// What is behind it, likeliest first.
    pub causes: &'static [&'static str],
    /// What to do now, in order.
    pub remedies: &'static [&'static str],
}

/// What a documented error number means, wherever it was seen. `None` for numbers that are not documented.
pub fn explain(number: u16) -> Option<Explanation> {
    ErrorCode::new(number).map(general)
}

/// What an error line means, with the step and the side it was seen on taken into account.
pub fn explain_at(line: &ErrorLine) -> Explanation {
    match (line.code.number(), line.opcode.step()) {
        (115, Some(Step::Identity)) if line.opcode.empty() => Explanation {
            meaning: "this host has no identity parameters for the group of that line, so it sent an empty request and the \
                      server refused it; the exchange starts over for ever",
            causes: &[
                "the file ntpkey_iffpar_GROUP, gqpar or mvpar is not in keysdir under the name that the line's ident and the server's scheme ask for",
                "the file is there, but the user the daemon runs as may not read it (parameters are opened after privileges are dropped)",
                "the server presents another scheme than the parameters are for: the first of IFF, GQ, MV that it holds is the only one it uses",
            ],
            remedies: &[
                "apply again, so that the client parameters are placed and readable; a file that was missing is found at the next try, without a restart",
            ],
        },
        (115, Some(Step::Sign)) => Explanation {
            meaning: "the server refused to sign this host's certificate; the association starts over",
            causes: &[
                "the server's own certificate has expired: its cryptostats then say 110 for every such request",
                "the server was restarted seconds ago and its clock is not set yet: normal, it heals by itself within a minute at 8 s polls",
            ],
            remedies: &[
                "look at the server: its certificate's end (ntpq -c rv, the until after its own name) and its leap bits",
                "renew the server's certificate if it has expired and restart the server",
            ],
        },
        (110, Some(Step::Sign)) if line.while_serving() => Explanation {
            meaning: "a client asked this host to sign its certificate, and this host may not: its own certificate is outside its lifetime",
            causes: &[
                "this host's certificate has expired",
                "this host's clock is wrong",
            ],
            remedies: &[
                "renew this host's certificate with a new filestamp and restart its daemon: until then no client below it completes an exchange",
            ],
        },
        (110, Some(Step::Sign)) => Explanation {
            meaning: "this host cannot ask for a signature: its own certificate is outside its lifetime; it is authenticated, but cannot serve others",
            causes: &[
                "this host's certificate has expired",
                "this host's clock is wrong",
            ],
            remedies: &["renew this host's certificate with a new filestamp and restart its daemon"],
        },
        (109, Some(Step::Certificate)) => Explanation {
            meaning: "one signature of the trail does not fit its issuer's present key; a warning, the exchange goes on",
            causes: &[
                "the trusted host has a new host key, and the intermediate still holds the signature of the old one",
            ],
            remedies: &[
                "nothing for this host; restart the intermediate after its trusted host, so that it fetches a new signature",
            ],
        },
        (110, Some(Step::Certificate)) => Explanation {
            meaning: "one signature of the trail was made outside the lifetime of its issuer's present certificate; a warning, the exchange goes on",
            causes: &[
                "the trusted host's certificate was renewed, and the intermediate still holds a signature from before",
            ],
            remedies: &[
                "nothing for this host; restart the intermediate after its trusted host, so that it fetches a new signature",
            ],
        },
        _ => general(line.code),
    }
}

pub(super) const fn words(
    meaning: &'static str,
    causes: &'static [&'static str],
    remedies: &'static [&'static str],
) -> Explanation {
    Explanation {
        meaning,
        causes,
        remedies,
    }
}

#[expect(clippy::too_many_lines, reason = "a list, one arm for each documented number")]
fn general(code: ErrorCode) -> Explanation {
    match code.number() {
        101 => words(
            "a message has a version, length or layout that the other side does not take",
            &[
                "something between the hosts cuts or changes NTP packets with extension fields: a middlebox, or a path that drops large UDP packets",
                "keys so large that a message does not fit",
            ],
            &[
                "compare what one side sends with what the other receives (tcpdump, port 123)",
                "use smaller host keys, or repair the path",
            ],
        ),
        102 => words(
            "a timestamp is zero, older than its filestamp or not newer than one already seen",
            &[
                "the server's clock is not set yet: normal within the first polls after its restart",
                "a clock was stepped back",
                "a file's stamp lies in the future of the host that uses it",
                "a packet was replayed",
            ],
            &[
                "wait until the server has leap 00, then look again",
                "if it stays, compare both clocks and the filestamps of the server's keys",
            ],
        ),
        103 => words(
            "the filestamp of one side's group key or certificate does not fit the other's: they are of different generations",
            &[
                "a rotation is half done: the client's parameters and the server's key have different stamps (IFF and MV must be equal, GQ parameters not newer)",
                "parameters were copied under a new stamp, or the first line of a file was edited",
            ],
            &[
                "finish the rotation: the server first, then restart the client",
                "with IFF and MV the client heals by itself at its next poll when the server was the one behind; with GQ restart the client after its server",
            ],
        ),
        104 => words(
            "the public key is missing, damaged or of a kind that cannot be used here",
            &[
                "identity parameters of another scheme lie under this name (an RSA key where a DSA key is expected, or the other way round)",
                "the client sent a host key that cannot be used to encrypt a cookie",
            ],
            &["mint the host's media anew and place them under a new stamp"],
        ),
        105 => words(
            "the server signs with a digest and key that this host's OpenSSL cannot map to an algorithm",
            &[
                "the server has a DSA sign key: clients on OpenSSL 3 refuse those",
                "the server's scheme (MD4, MDC2 …) is not in this host's OpenSSL",
            ],
            &["give the server an RSA sign key with SHA-256 and a new certificate"],
        ),
        106 => words(
            "one side wants an identity scheme that the other does not have",
            &[
                "this host has a private certificate (PC) and its server does not, or the server belongs to another group",
                "in symmetric mode one side has identity keys and the other has none",
            ],
            &[
                "give both sides the same scheme: with PC every member holds byte copies of one key and certificate",
            ],
        ),
        107 => words(
            "the length of a signature is not that of the server's key",
            &["the server signs with another key than its certificate holds, of another size"],
            &[
                "give the server a sign key and certificate that belong together and restart it, then its clients",
            ],
        ),
        108 => words(
            "a signature does not verify with the public key in the server's certificate",
            &[
                "the server's certificate does not belong to its sign key",
                "the server got a new key and certificate under the old filestamp: its clients keep the certificate they know until they are restarted",
                "with PC: the two hosts do not hold the same key",
                "somebody else answers under the server's address",
            ],
            &[
                "check that the server's certificate holds its sign key's public part, and that both have a new filestamp",
                "restart this client to make it forget the old certificate",
            ],
        ),
        109 => words(
            "a certificate is not signed with its issuer's key",
            &[
                "the issuer has a new host key, and this signature was made with the old one",
                "a forged or damaged certificate",
            ],
            &[
                "restart the hosts down the trail in order, the one below the new key first",
                "while the exchange goes on after it, this is a warning only",
            ],
        ),
        110 => words(
            "a certificate is outside its lifetime, or signed outside its issuer's",
            &[
                "a certificate has expired: the host's own where it refuses to sign, a server's where its clients are refused",
                "the issuer's certificate was renewed and a signature from before is still in use",
                "a clock is wrong",
            ],
            &[
                "renew the expired certificate with a new filestamp and restart that host",
                "while walking the trail this is a warning only: restart the intermediate after its trusted host",
            ],
        ),
        111 => words(
            "the cookie is missing or could not be decrypted",
            &[
                "the answer was meant for another key: this host was restarted with a new host key while its request was under way",
                "two hosts ask from behind one address",
                "the server could not encrypt to this host's key, or the answer was damaged on the way",
            ],
            &["look again after two polls; if it stays, restart this host, then mint its host key anew"],
        ),
        112 => words(
            "the leapseconds table is missing or bogus",
            &[
                "the server's leapseconds file is damaged or expired (4.2.8p15 itself never reports this number)",
            ],
            &[
                "give the server a current leapseconds file (leapfile); authentication itself does not need it",
            ],
        ),
        113 => words(
            "a certificate is missing, damaged or refused",
            &[
                "a certificate of the trail does not pass the checks: filestamp later than its beginning, no common name, unsupported signature",
                "the server holds no signature for this host where one is needed",
            ],
            &[
                "look at the daemon's log for the line of cert_parse beside it",
                "mint the certificate of the host it names anew, with a new filestamp",
            ],
        ),
        114 => words(
            "the server did not prove that it holds the group's key, or one side has no group key",
            &[
                "client parameters and server key are of different generations under the same or (GQ) an older stamp",
                "with MV: this client's key has been revoked",
                "with GQ: the trusted host's certificate lacks the value that belongs to the key, or its modulus has more than 1016 bits",
                "the media come from ntp-keygen, whose files the 4.2.8p15 daemon misreads for IFF, GQ and MV",
                "the server is not who it says it is",
            ],
            &[
                "place the group's present parameters on this host and the present key on its server, then restart this host",
                "with GQ a restart after the server's is needed: it does not heal by itself",
                "if only now and then, and the next poll passes: a short challenge, nothing to do",
            ],
        ),
        _ => words(
            "one side's state does not fit the other's; the exchange starts over",
            &[
                "the server was restarted seconds ago: normal within the first polls",
                "the server answered with an error: its own cryptostats tell which",
                "this host has no identity parameters for the group",
            ],
            &[
                "look at the server's cryptostats at that time",
                "if it comes back after a minute, see which step it is at: identity means missing parameters here, sign an expired certificate there",
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_number_is_explained_and_no_other() {
        for number in 101..=115 {
            let told = explain(number).unwrap();
            assert!(!told.meaning.is_empty() && !told.causes.is_empty() && !told.remedies.is_empty());
            assert!(!told.meaning.ends_with('.'), "{number}");
        }
        assert_eq!((explain(100), explain(116)), (None, None));
        assert_eq!(ErrorCode::from_event(0x10f), ErrorCode::new(115));
        assert_eq!(ErrorCode::from_event(0x101), ErrorCode::new(101));
        for event in [0, 0xff, 0x100, 0x110, u16::MAX] {
            assert_eq!(ErrorCode::from_event(event), None);
        }
        assert_eq!(
            ErrorCode::new(114).unwrap().to_string(),
            "114 (bad or missing group key)"
        );
    }
}
