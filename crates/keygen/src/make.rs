//! Makes everything a decision names, in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{Choice, Content, Decision, ExportPlan, FilePlan, Link, Note, Options, Result};
use keytrail_media::{
    Filestamp, GroupKey, GroupScheme, KeyAlgorithm, MediaFile, MediaKind, MediaName,
    certificate::{Certificate, CertificateSpec},
    host_key::{DsaKey, RsaKey, SignKey},
    pem::PemBlock,
};
use keytrail_vocabulary::Secret;

/// A file ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where it goes, in the directory.
    pub path: String,
    /// 0600 for what is private, 0644 for what must be readable.
    pub mode: u32,
    /// The content.
    pub bytes: Secret,
    /// Whether it takes the place of another.
    pub replaces: bool,
}

/// Everything a run makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Files.
    pub files: Vec<NewFile>,
    /// Plain files that get names of their own: generic, own.
    pub settle: Vec<(String, String)>,
    /// Links.
    pub links: Vec<Link>,
    /// Standard output, file by file.
    pub exports: Vec<(MediaName, Secret)>,
    /// What to tell the user.
    pub notes: Vec<Note>,
    /// What was made and what was kept, for those who want to know.
    pub details: Vec<String>,
}

impl Outcome {
    /// Adds a file under its own name.
    pub(super) fn add(&mut self, file: &MediaFile, path: String, replaces: bool) {
        let mode = if file.name.kind.is_private() { 0o600 } else { 0o644 };
        let bytes = file.render();
        self.files.push(NewFile {
            path,
            mode,
            bytes,
            replaces,
        });
    }
}

impl Decision<'_> {
    /// Makes it.
    ///
    /// # Errors
    /// Sizes that a scheme or the daemon cannot take, or OpenSSL's refusal.
    pub fn make(&self, options: &Options) -> Result<Outcome> {
        let mut outcome = Outcome {
            settle: self.settle.clone(),
            links: self.links.clone(),
            notes: self.notes.clone(),
            ..Outcome::default()
        };
        let keys = Keys::make(self, &mut outcome.details)?;
        let protection = options.protection()?;
        for plan in &self.files {
            let blocks = keys.blocks(self, options, &protection, plan)?;
            let file = MediaFile::pem(plan.name.clone(), self.now, blocks);
            outcome.add(&file, plan.path.clone(), plan.replaces);
        }
        for plan in &self.exports {
            let block = keys.exported(self, options, plan)?;
            let file = MediaFile::pem(plan.name.clone(), self.now, vec![block]);
            outcome.exports.push((plan.name.clone(), file.render()));
        }
        Ok(outcome)
    }
}

/// Every key of a run, kept or new, and the certificate.
struct Keys {
    host: Option<SignKey>,
    sign: Option<SignKey>,
    groups: BTreeMap<GroupScheme, GroupKey>,
    certificate: Option<Certificate>,
}

impl Keys {
    fn make(decision: &Decision<'_>, details: &mut Vec<String>) -> Result<Self> {
        // Group keys first: theirs are the sizes that may be refused.
        let mut groups = BTreeMap::new();
        for (scheme, choice) in &decision.group_keys {
            let key = match choice {
                Choice::Keep(kept) => kept.value.key.clone(),
                Choice::Make((bits, clients)) => {
                    let key = GroupKey::generate(*scheme, *bits, *clients)?;
                    key.prove()?;
                    key
                }
            };
            details.push(told(&format!("{scheme} key"), choice, decision.stamp, key.bits()));
            groups.insert(*scheme, key);
        }
        let host = match &decision.host_key {
            Some(Choice::Keep(kept)) => Some(kept.value.clone()),
            Some(Choice::Make(bits)) => Some(RsaKey::generate(*bits)?),
            None => None,
        };
        let host = host.map(SignKey::Rsa);
        if let (Some(choice), Some(key)) = (&decision.host_key, &host) {
            details.push(told("host key", choice, decision.stamp, key.bits()));
        }
        let sign = match &decision.sign_key {
            Some(Choice::Keep(kept)) => Some(kept.value.clone()),
            Some(Choice::Make((KeyAlgorithm::Rsa, bits))) => Some(SignKey::Rsa(RsaKey::generate(*bits)?)),
            Some(Choice::Make((KeyAlgorithm::Dsa, bits))) => Some(SignKey::Dsa(DsaKey::generate(*bits)?)),
            None => None,
        };
        if let (Some(choice), Some(key)) = (&decision.sign_key, &sign) {
            details.push(told("sign key", choice, decision.stamp, key.bits()));
        }
        let signer = sign.as_ref().or(host.as_ref());
        let certificate = match (&decision.certificate, signer) {
            (Some(plan), Some(signer)) => {
                let spec = CertificateSpec {
                    subject: plan.subject.clone(),
                    serial: decision.stamp.0,
                    not_before: plan.not_before,
                    not_after: plan.not_after,
                    scheme: plan.scheme,
                    role: plan.role,
                    gq_public: groups.values().find_map(GroupKey::certificate_value).cloned(),
                };
                let value = if spec.gq_public.is_some() {
                    ", with the GQ value"
                } else {
                    ""
                };
                details.push(format!("certificate of {}: {}{value}", plan.subject, plan.scheme));
                Some(spec.sign(signer)?)
            }
            _ => None,
        };
        Ok(Self {
            host,
            sign,
            groups,
            certificate,
        })
    }

    fn blocks(
        &self,
        decision: &Decision<'_>,
        options: &Options,
        protection: &keytrail_media::cipher::Protection,
        plan: &FilePlan,
    ) -> Result<Vec<PemBlock>> {
        const DECIDED: &str = "a decision names files of keys it chose only";
        Ok(match plan.content {
            Content::HostKey => vec![self.host.as_ref().expect(DECIDED).block(protection)?],
            Content::SignKey => vec![self.sign.as_ref().expect(DECIDED).block(protection)?],
            Content::Certificate => vec![self.certificate.as_ref().expect(DECIDED).block()],
            Content::GroupKey(scheme) => {
                let key = self.groups.get(&scheme).expect(DECIDED);
                let mut blocks = key.authority_blocks(protection, options.dialect)?;
                // The second block of an authority's file is the servers' key: there it stands who is shut out.
                if scheme == GroupScheme::Mv && !decision.revoked.is_empty() {
                    blocks[1] = key.server_block(protection, options.dialect, &decision.revoked)?;
                }
                blocks
            }
            Content::MvServerKey => {
                let key = self.groups.get(&GroupScheme::Mv).expect(DECIDED);
                vec![key.server_block(protection, options.dialect, &decision.revoked)?]
            }
        })
    }

    fn exported(&self, decision: &Decision<'_>, options: &Options, plan: &ExportPlan) -> Result<PemBlock> {
        let (MediaKind::ClientParameters(scheme) | MediaKind::ServerKey(scheme)) = plan.name.kind else {
            unreachable!("only these two kinds are exported");
        };
        let key = &self.groups[&scheme];
        let none = BTreeSet::new();
        let revoked = if scheme == GroupScheme::Mv {
            &decision.revoked
        } else {
            &none
        };
        match (plan.name.kind, options.export_protection()?) {
            (MediaKind::ServerKey(_), Some(protection)) => {
                Ok(key.server_block(&protection, options.dialect, revoked)?)
            }
            _ => Ok(key.client_block(options.dialect, plan.client)?),
        }
    }
}

fn told<V, R>(what: &str, choice: &Choice<'_, V, R>, stamp: Filestamp, bits: u32) -> String {
    match choice {
        Choice::Keep(kept) => format!("{what}: kept, {bits} bits, {}", kept.file),
        Choice::Make(_) => format!("{what}: new, {bits} bits, filestamp {stamp}"),
    }
}
