//! The system variables (`rv`) and a reference clock's (`cv ASSID`).

use super::bits::{CertificateFlags, CryptoFlags};
use super::error::{ReadError, excerpt};
use super::time::Timestamp;
use super::variables::Variables;

/// What `rv` (or `rv 0 …`) says of the daemon itself. Every field may be missing: it depends on what was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// Version line of the daemon.
    pub version: Option<String>,
    /// Leap bits; 3 (`11`): the clock is not set.
    pub leap: Option<u8>,
    /// Own stratum; 16: the clock is not set.
    pub stratum: Option<u8>,
    /// Number of the association in use, 0 for none.
    pub peer: Option<u16>,
    /// The daemon's clock when it answered.
    pub clock: Option<Timestamp>,
    /// Its certificate name.
    pub host: Option<String>,
    /// Autokey flags of its own: which server keys are loaded.
    pub flags: Option<CryptoFlags>,
    /// Message digest of the packets (`crypto digest`).
    pub digest: Option<String>,
    /// Signature scheme of its own certificate.
    pub signature: Option<String>,
    /// When its signatures were last made anew.
    pub update: Option<Timestamp>,
    /// Certificates in memory, as printed.
    pub certificates: Vec<HeldCertificate>,
}

/// A certificate in the daemon's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCertificate {
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// What the daemon thinks of it.
    pub flags: CertificateFlags,
    /// End of its lifetime, to the minute.
    pub until: Option<Timestamp>,
}

impl System {
    /// Reads the answer to `rv`.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        Self::from_variables(&Variables::read(text)?)
    }

    /// The same from variables already read.
    pub fn from_variables(v: &Variables) -> Result<Self, ReadError> {
        let minutes = |w: &str| Timestamp::from_minutes(w);
        let mut certificates: Vec<HeldCertificate> = Vec::new();
        for (index, variable) in v.list.iter().enumerate() {
            if variable.name != "cert" {
                continue;
            }
            let bad = |what: &str| {
                ReadError::malformed(
                    "ntpq rv",
                    variable.line,
                    format!(
                        "cert should be 'SUBJECT ISSUER 0xFLAGS', {what} in '{}'",
                        excerpt(&variable.value)
                    ),
                )
            };
            let mut words = variable.value.rsplitn(3, ' ');
            let flags = words
                .next()
                .and_then(|w| w.strip_prefix("0x"))
                .and_then(|w| u32::from_str_radix(w, 16).ok())
                .ok_or_else(|| bad("no flags"))?;
            let issuer = words.next().ok_or_else(|| bad("no issuer"))?;
            let subject = words.next().ok_or_else(|| bad("no subject"))?;
            let until = match v.list.get(index + 1).filter(|next| next.name == "until") {
                None => None,
                Some(next) => Some(minutes(&next.value).ok_or_else(|| {
                    ReadError::malformed(
                        "ntpq rv",
                        next.line,
                        format!("until should be YYYYMMDDhhmm, found '{}'", excerpt(&next.value)),
                    )
                })?),
            };
            certificates.push(HeldCertificate {
                subject: subject.to_owned(),
                issuer: issuer.to_owned(),
                flags: CertificateFlags(flags),
                until,
            });
        }
        Ok(Self {
            version: v.text("version"),
            leap: v.parsed("leap", "two bits", |w| {
                u8::from_str_radix(w, 2).ok().filter(|l| *l < 4)
            })?,
            stratum: v.decimal("stratum")?,
            peer: v.decimal("peer")?,
            clock: v.time("clock")?,
            host: v.text("host"),
            flags: v
                .parsed("flags", "hexadecimal", |w| {
                    u32::from_str_radix(w.strip_prefix("0x")?, 16).ok()
                })?
                .map(CryptoFlags),
            digest: v.text("digest"),
            signature: v.text("signature"),
            update: v.parsed("update", "YYYYMMDDhhmm", minutes)?,
            certificates,
        })
    }

    /// Whether its clock is set, which a server needs before anybody can start an exchange with it.
    pub fn synchronised(&self) -> bool {
        self.leap.is_some_and(|leap| leap != 3) && self.stratum.is_none_or(|stratum| stratum < 16)
    }

    /// The installed certificate: self-signed and with the host's own name. Signatures that servers gave this host
    /// have the same subject and another issuer.
    pub fn own_certificate(&self) -> Option<&HeldCertificate> {
        let host = self.host.as_deref()?;
        self.certificates
            .iter()
            .find(|c| c.subject == host && c.issuer == host)
    }

    /// Whether the installed certificate has expired, by the daemon's own clock unless `now` is given; `None` where
    /// that cannot be told.
    pub fn certificate_expired(&self, now: Option<Timestamp>) -> Option<bool> {
        Some(self.own_certificate()?.until? < now.or(self.clock)?)
    }
}

/// What `cv ASSID` says of a reference clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Driver's description.
    pub device: Option<String>,
    /// Last timecode.
    pub timecode: Option<String>,
    /// Polls, and those without reply, with bad format, with bad data.
    pub poll: u64,
    /// Polls without reply.
    pub noreply: u64,
    /// Replies of bad format.
    pub badformat: u64,
    /// Replies with bad data.
    pub baddata: u64,
    /// Stratum given to it.
    pub stratum: Option<u8>,
    /// Reference id.
    pub refid: Option<String>,
}

impl Clock {
    /// Reads the answer to `cv ASSID`.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let v = Variables::read(text)?;
        Ok(Self {
            device: v.text("device"),
            timecode: v.text("timecode"),
            poll: v.decimal("poll")?.ok_or_else(|| Variables::missing("poll"))?,
            noreply: v.decimal("noreply")?.unwrap_or(0),
            badformat: v.decimal("badformat")?.unwrap_or(0),
            baddata: v.decimal("baddata")?.unwrap_or(0),
            stratum: v.decimal("stratum")?,
            refid: v.text("refid"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_certificate_is_the_self_signed_one() {
        let text = "leap=00, stratum=7, host=\"mid@red\", clock=eeaaf6c9.d79e71c4  Fri, Nov 20 2026 16:41:45.842,\n\
                    cert=\"mid@red th@red 0x4\", until=202711201641, cert=\"mid@red mid@red 0x0\",\n\
                    until=202611201640\n";
        let system = System::read(text).unwrap();
        assert_eq!(system.certificates.len(), 2);
        assert_eq!(system.own_certificate().unwrap().flags, CertificateFlags(0));
        assert_eq!(system.certificate_expired(None), Some(true));
        assert_eq!(
            system.certificate_expired(Timestamp::from_minutes("202601010000")),
            Some(false)
        );
        assert!(system.synchronised());
    }

    #[test]
    fn nonsense_in_a_certificate_is_named() {
        for (text, what) in [
            ("cert=\"a b c\", until=202711201641\n", "no flags"),
            ("cert=\"0x4\"\n", "no issuer"),
            ("cert=\"b 0x4\"\n", "no subject"),
            ("cert=\"a b 0x4\", until=soon\n", "until should be"),
            ("leap=22\n", "leap should be"),
        ] {
            let error = System::read(text).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
