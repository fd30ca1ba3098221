//! The words of bits that ntpq prints: status of an association, flags of the Autokey exchange, flash, flags of a
//! certificate. Values from RFC 5905/5906 and ntp.org 4.2.8p15.

use serde::Serialize;
use std::fmt;

/// Status word of an association (column `status` of `as`, `status=` of `rv`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerStatus(pub u16);

impl PeerStatus {
    /// In the configuration, as opposed to mobilized by a packet.
    pub fn configured(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// Authentication was asked for.
    pub fn authentication_enabled(self) -> bool {
        self.0 & 0x4000 != 0
    }

    /// The last packet accepted for examination had a good MAC. Says nothing by itself: also packets of a failing
    /// exchange have one, and the bit stays when the server vanishes. NTPsec sets it without any key, too.
    pub fn authentic(self) -> bool {
        self.0 & 0x2000 != 0
    }

    /// Something usable was heard in the last eight polls.
    pub fn reachable(self) -> bool {
        self.0 & 0x1000 != 0
    }

    /// What the clock selection made of it.
    pub fn selection(self) -> Selection {
        match (self.0 >> 8) & 7 {
            0 => Selection::Reject,
            1 => Selection::Falsetick,
            2 => Selection::Excess,
            3 => Selection::Outlier,
            4 => Selection::Candidate,
            5 => Selection::Backup,
            6 => Selection::SystemPeer,
            _ => Selection::PpsPeer,
        }
    }

    /// The last event, while the daemon still remembers one.
    pub fn event(self) -> Option<PeerEvent> {
        Some(match self.0 & 0xf {
            1 => PeerEvent::Mobilize,
            2 => PeerEvent::Demobilize,
            3 => PeerEvent::Unreachable,
            4 => PeerEvent::Reachable,
            5 => PeerEvent::Restart,
            6 => PeerEvent::NoReply,
            7 => PeerEvent::RateExceeded,
            8 => PeerEvent::AccessDenied,
            9 => PeerEvent::LeapArmed,
            0xa => PeerEvent::SystemPeer,
            0xb => PeerEvent::ClockEvent,
            0xc => PeerEvent::BadAuthentication,
            0xd => PeerEvent::Popcorn,
            0xe => PeerEvent::InterleavedMode,
            0xf => PeerEvent::InterleaveError,
            _ => return None,
        })
    }

    /// Column `auth` of `as`.
    pub fn auth_word(self) -> &'static str {
        match (self.authentication_enabled(), self.authentic()) {
            (false, _) => "none",
            (true, true) => "ok",
            (true, false) => "bad",
        }
    }
}

impl fmt::Display for PeerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

/// Result of the clock selection (`condition` of `as`, tally code of `peers`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Discarded as not valid.
    Reject,
    /// Discarded by the intersection algorithm.
    Falsetick,
    /// Not among the survivors that are looked at.
    Excess,
    /// Discarded by the cluster algorithm.
    Outlier,
    /// Included in the combining.
    Candidate,
    /// More than `tos maxclock` sources.
    Backup,
    /// The system peer.
    SystemPeer,
    /// The PPS peer.
    PpsPeer,
}

/// Last event of an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerEvent {
    /// Association made.
    Mobilize,
    /// Association removed.
    Demobilize,
    /// Nothing usable for eight polls.
    Unreachable,
    /// First usable packet.
    Reachable,
    /// Exchange started over after a crypto error (115) or a step of the clock.
    Restart,
    /// No reply to a one-shot query.
    NoReply,
    /// The server asked for fewer queries.
    RateExceeded,
    /// The server refused to serve.
    AccessDenied,
    /// Leap second announced.
    LeapArmed,
    /// Became the system peer.
    SystemPeer,
    /// Event of a reference clock.
    ClockEvent,
    /// No usable key here, or the server refused the MAC with a crypto-NAK.
    BadAuthentication,
    /// Spike suppressed.
    Popcorn,
    /// Went to interleaved mode.
    InterleavedMode,
    /// Interleave error, recovered.
    InterleaveError,
}

macro_rules! bit_word {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$bitdoc:meta])* $bit:ident = $value:literal => $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$bitdoc])* pub const $bit: $int = $value;)*

            /// Whether all of `bits` are set.
            pub fn has(self, bits: $int) -> bool {
                self.0 & bits == bits
            }

            /// The names of the bits that are set.
            pub fn names(self) -> Vec<&'static str> {
                [$((Self::$bit, $word)),*]
                    .into_iter()
                    .filter(|(bit, _)| self.has(*bit))
                    .map(|(_, word)| word)
                    .collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "0x{:x}", self.0)
            }
        }
    };
}

bit_word! {
    /// `flags=` of an association (what the server says of itself, and how far the exchange is) or of the system
    /// (what this host has loaded). RFC 5906 section 9.
    CryptoFlags(u32) {
        /// Autokey is in use.
        ENAB = 0x1 => "ENAB",
        /// The server has a leapseconds table. Its word, no progress.
        TAI = 0x2 => "TAI",
        /// The server's certificate is private.
        PC = 0x10 => "PC",
        /// The server holds an IFF key.
        IFF = 0x20 => "IFF",
        /// The server holds a GQ key.
        GQ = 0x40 => "GQ",
        /// The server holds an MV key.
        MV = 0x80 => "MV",
        /// The trail reached a trusted certificate.
        CERT = 0x100 => "CERT",
        /// Identity verified, or none asked for.
        VRFY = 0x200 => "VRFY",
        /// A signature of the identified server was verified: proventic.
        PROV = 0x400 => "PROV",
        /// Cookie received.
        COOK = 0x800 => "COOK",
        /// Autokey values; set for every server association from the start.
        AUTO = 0x1000 => "AUTO",
        /// The server has signed this host's certificate.
        SIGN = 0x2000 => "SIGN",
        /// Leapseconds values received, or the server has none.
        LEAP = 0x4000 => "LEAP",
    }
}

impl CryptoFlags {
    /// OpenSSL's number of the server's signature scheme (668: sha256WithRSAEncryption).
    pub fn signature_nid(self) -> u16 {
        u16::try_from(self.0 >> 16).unwrap_or(u16::MAX)
    }
}

bit_word! {
    /// `flash=`: which sanity checks the last packet, or the association, fails.
    Flash(u16) {
        /// Duplicate packet.
        PKT_DUP = 0x1 => "pkt_dup",
        /// Bogus packet.
        PKT_BOGUS = 0x2 => "pkt_bogus",
        /// Protocol not synchronized.
        PKT_UNSYNC = 0x4 => "pkt_unsync",
        /// Access denied.
        PKT_DENIED = 0x8 => "pkt_denied",
        /// Bad authentication: no usable key, or the MAC was refused.
        PKT_AUTH = 0x10 => "pkt_auth",
        /// The server's clock is not set.
        PKT_STRATUM = 0x20 => "pkt_stratum",
        /// Header or distances out of bounds.
        PKT_HEADER = 0x40 => "pkt_header",
        /// Autokey not proven.
        PKT_AUTOKEY = 0x80 => "pkt_autokey",
        /// Autokey protocol error.
        PKT_CRYPTO = 0x100 => "pkt_crypto",
        /// Stratum or leap bits not usable.
        PEER_STRATUM = 0x200 => "peer_stratum",
        /// Distance exceeded: not enough samples yet.
        PEER_DIST = 0x400 => "peer_dist",
        /// Loop.
        PEER_LOOP = 0x800 => "peer_loop",
        /// Unreachable.
        PEER_UNREACH = 0x1000 => "peer_unreach",
    }
}

bit_word! {
    /// Flags of a certificate in the daemon's memory (`cert=` of the system variables, `cert` and `sign` lines).
    CertificateFlags(u32) {
        /// Says trustRoot.
        TRUSTED = 0x1 => "trusted",
        /// Its signature was verified with its issuer's key.
        VERIFIED = 0x2 => "verified",
        /// Valid.
        VALID = 0x4 => "valid",
        /// Private.
        PRIVATE = 0x8 => "private",
        /// Its signature does not fit its issuer's present certificate.
        ERROR = 0x80 => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_word_falls_into_its_parts() {
        let ok = PeerStatus(0xf61a);
        assert!(ok.configured() && ok.authentication_enabled() && ok.authentic() && ok.reachable());
        assert_eq!(ok.selection(), Selection::SystemPeer);
        assert_eq!(ok.event(), Some(PeerEvent::SystemPeer));
        assert_eq!(ok.auth_word(), "ok");
        assert_eq!(PeerStatus(0xc05c).event(), Some(PeerEvent::BadAuthentication));
        assert_eq!(PeerStatus(0xc05c).auth_word(), "bad");
        // NTPsec sets the authentic bit without any key.
        assert_eq!(PeerStatus(0xb61a).auth_word(), "none");
    }

    #[test]
    fn flags_have_names_and_the_signature() {
        let flags = CryptoFlags(0x029c_5121);
        assert_eq!(flags.names(), ["ENAB", "IFF", "CERT", "AUTO", "LEAP"]);
        assert_eq!(flags.signature_nid(), 668);
        assert_eq!(
            Flash(0x1610).names(),
            ["pkt_auth", "peer_stratum", "peer_dist", "peer_unreach"]
        );
    }
}
