//! What `rv ASSID` says of one association.

use super::bits::{CryptoFlags, Flash, PeerStatus};
use super::error::ReadError;
use super::time::Timestamp;
use super::variables::Variables;

/// How an association is keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keying {
    /// Not at all.
    None,
    /// With the symmetric key of that id.
    Key(u32),
    /// Autokey: session keys with ids above 65535.
    Autokey,
    /// NTS: authenticated without a key id (NTPsec).
    Nts,
}

/// The variables of an association that matter here. Asked for with a list of names, the list must hold at least
/// `srcadr,reach,keyid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// Its number; missing where the heading is.
    pub associd: Option<u16>,
    /// Status word.
    pub status: PeerStatus,
    /// Address of the server; `0.0.0.0` while NTPsec has not finished a key establishment.
    pub srcadr: String,
    /// Name of the server, where the daemon tells it.
    pub srchost: Option<String>,
    /// Reference id as printed.
    pub refid: Option<String>,
    /// Last eight polls, newest in the lowest bit.
    pub reach: u8,
    /// Polls without a usable answer since reach was last not 0.
    pub unreach: u32,
    /// Stratum of the server.
    pub stratum: Option<u8>,
    /// When the last packet came.
    pub received: Option<Timestamp>,
    /// Poll interval, log2 seconds.
    pub hpoll: u8,
    /// Failed checks.
    pub flash: Flash,
    /// Key id, 0 for none.
    pub keyid: u32,
    /// Flags of the Autokey exchange; missing before the first answer.
    pub flags: Option<CryptoFlags>,
    /// Certificate name of the server (`th@red`).
    pub host: Option<String>,
    /// The server's signature scheme.
    pub signature: Option<String>,
    /// The group whose identity parameters the server must prove: `ident` of its line.
    pub ident: Option<String>,
    /// NTS cookies held; -1 for none (NTPsec).
    pub nts_cookies: Option<i32>,
}

impl Association {
    /// Reads the answer to `rv ASSID`. `status` is the word from `as`, for answers without a heading (lists of
    /// names have none).
    pub fn read(text: &str, status: Option<PeerStatus>) -> Result<Self, ReadError> {
        Self::from_variables(&Variables::read(text)?, status)
    }

    /// The same from variables already read.
    pub fn from_variables(v: &Variables, status: Option<PeerStatus>) -> Result<Self, ReadError> {
        let hex16 = |w: &str| u16::from_str_radix(w, 16).ok();
        let heading = v.parsed("status", "a status word", hex16)?.map(PeerStatus);
        Ok(Self {
            associd: v.decimal("associd")?,
            status: heading.or(status).ok_or_else(|| Variables::missing("status"))?,
            srcadr: v.text("srcadr").ok_or_else(|| Variables::missing("srcadr"))?,
            srchost: v.text("srchost"),
            refid: v.text("refid"),
            reach: v
                .parsed("reach", "an octal register", |w| u8::from_str_radix(w, 8).ok())?
                .ok_or_else(|| Variables::missing("reach"))?,
            unreach: v.decimal("unreach")?.unwrap_or(0),
            stratum: v.decimal("stratum")?,
            received: v.time("rec")?,
            hpoll: v
                .parsed("hpoll", "a power of two up to 17", |w| {
                    w.parse().ok().filter(|p| *p <= 17)
                })?
                .unwrap_or(6),
            flash: Flash(v.parsed("flash", "hexadecimal", hex16)?.unwrap_or(0)),
            keyid: v
                .parsed("keyid", "a key id", number)?
                .ok_or_else(|| Variables::missing("keyid"))?,
            flags: v.parsed("flags", "hexadecimal", number)?.map(CryptoFlags),
            host: v.text("host"),
            signature: v.text("signature"),
            ident: v.text("ident"),
            nts_cookies: v.decimal("ntscookies")?,
        })
    }

    /// Whether it is a reference clock: an address 127.127.TYPE.UNIT.
    pub fn is_reference_clock(&self) -> bool {
        self.srcadr.starts_with("127.127.")
    }

    /// How it is keyed.
    pub fn keying(&self) -> Keying {
        match self.keyid {
            _ if !self.status.authentication_enabled() => Keying::None,
            1..=65_535 => Keying::Key(self.keyid),
            0 if self.flags.is_none() && self.ident.is_none() => Keying::Nts,
            _ => Keying::Autokey,
        }
    }

    /// Something usable came in answer to one of the last two polls.
    pub fn heard_lately(&self) -> bool {
        self.reach & 0b11 != 0
    }
}

/// Decimal, or hexadecimal after `0x`.
fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_needs_the_status_of_the_table() {
        let text = "srcadr=10.77.1.1, reach=007, keyid=1, flash=00 ok\n";
        assert!(
            Association::read(text, None)
                .unwrap_err()
                .to_string()
                .contains("status is missing")
        );
        let read = Association::read(text, Some(PeerStatus(0xf414))).unwrap();
        assert_eq!((read.reach, read.keying()), (7, Keying::Key(1)));
    }

    #[test]
    fn nonsense_is_named_with_the_variable() {
        for (text, what) in [
            (
                "status=f414, srcadr=a, reach=900, keyid=1\n",
                "reach should be an octal register, found '900'",
            ),
            (
                "status=f414, srcadr=a, reach=1, keyid=0xzz\n",
                "keyid should be a key id",
            ),
            ("status=zzzz, srcadr=a, reach=1, keyid=1\n", "status should be"),
            (
                "status=f414, srcadr=a, reach=1, keyid=1, hpoll=99\n",
                "hpoll should be",
            ),
            (
                "status=f414, srcadr=a, reach=1, keyid=1, rec=today\n",
                "rec should be a timestamp",
            ),
            ("status=f414, reach=1, keyid=1\n", "srcadr is missing"),
        ] {
            let error = Association::read(text, None).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
