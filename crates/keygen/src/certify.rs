//! The decision's part about the certificate.

use super::{CertificatePlan, Choice, Error, Note, Options, decide::Run};
use keytrail_media::{
    GroupScheme, KeyAlgorithm, MediaKind, SignatureScheme,
    certificate::{Certificate, CertificateSpec, Role},
    host_key::RsaKey,
};

impl Run<'_, '_> {
    pub(super) fn choose_certificate(&mut self) {
        if !self.options.makes_certificate() {
            return;
        }
        let old = self.existing.certificate.as_ref().map(|kept| &kept.value);
        let Some((algorithm, bits)) = self.signer() else {
            return;
        };
        let scheme = match self.options.scheme {
            // As with the stock program, the digest counts, and the sign key says the rest.
            Some(scheme) if algorithm == KeyAlgorithm::Dsa => scheme.with_key(algorithm),
            Some(scheme) => Ok(scheme),
            None => Ok(old
                .and_then(Certificate::scheme)
                .and_then(|scheme| scheme.with_key(algorithm).ok())
                .unwrap_or(SignatureScheme {
                    key: algorithm,
                    ..SignatureScheme::RSA_SHA256
                })),
        };
        let scheme = self.errors.take(scheme);
        if let Some(scheme) = scheme {
            if scheme.key != algorithm {
                self.errors.push(Error::refused(
                    format!("scheme {scheme}"),
                    format!("the sign key is {}", algorithm.as_str()),
                    "add -S DSA, or use an RSA scheme",
                ));
            }
            // A key that cannot be made is refused for its own size when it is to be made.
            if RsaKey::BITS.contains(&bits) {
                self.errors.take(scheme.check_rsa_bits(bits));
            }
        }
        let role = self
            .options
            .role
            .or(old.map(Certificate::role))
            .unwrap_or_default();
        self.check_dsa(algorithm, role);
        self.check_gq_value();
        let not_before = self.decision.now.max(self.decision.stamp.unix());
        let days = self.options.lifetime.unwrap_or(Options::DEFAULT_LIFETIME);
        self.decision.certificate = Some(CertificatePlan {
            subject: CertificateSpec::common_name(&self.options.host, self.existing.group.as_deref()),
            scheme: scheme.unwrap_or(SignatureScheme::RSA_SHA256),
            role,
            not_before,
            not_after: not_before + i64::from(days) * 86_400,
        });
    }

    /// Algorithm and size of the key that signs.
    fn signer(&self) -> Option<(KeyAlgorithm, u32)> {
        match (&self.decision.sign_key, &self.decision.host_key) {
            (Some(Choice::Keep(kept)), _) => Some((kept.value.algorithm(), kept.value.bits())),
            (Some(Choice::Make(recipe)), _) => Some(*recipe),
            (None, Some(Choice::Keep(kept))) => Some((KeyAlgorithm::Rsa, kept.value.bits())),
            (None, Some(Choice::Make(bits))) => Some((KeyAlgorithm::Rsa, *bits)),
            (None, None) => None,
        }
    }

    fn check_dsa(&mut self, algorithm: KeyAlgorithm, role: Role) {
        let serves = role != Role::Plain || !self.decision.group_keys.is_empty();
        if algorithm == KeyAlgorithm::Dsa && serves {
            self.errors.push(Error::refused(
                "a DSA sign key on a host that serves others",
                "clients on OpenSSL 3 cannot find the digest of its signatures and refuse it with error 105",
                "use an RSA sign key (-S RSA), or none",
            ));
        } else if algorithm == KeyAlgorithm::Dsa {
            let text = "a host with a DSA sign key can be a client only, and its daemon crashes when asked for the \
                        variable signature (plain `ntpq -c rv`)";
            self.decision.notes.push(Note::warning(text));
        }
    }

    /// A certificate that carried GQ's public value must not silently lose it.
    fn check_gq_value(&mut self) {
        let Some(old) = &self.existing.certificate else {
            return;
        };
        let has_key = self.decision.group_keys.contains_key(&GroupScheme::Gq);
        if old.value.gq_public().is_none() || has_key {
            return;
        }
        let was = old.value.group().unwrap_or(&self.options.host).to_owned();
        if was == self.owner {
            self.errors.push(Error::refused(
                format!("a certificate of {was} without GQ value"),
                format!("{} carries one, but the GQ key it belongs to is not linked here", old.file),
                format!(
                    "bring back the link {} to the group's GQ key, make a new key with -G, or remove the link of \
                     the certificate to start afresh",
                    MediaKind::GroupKey(GroupScheme::Gq).link_name(&was)
                ),
            ));
        } else {
            let text = format!("the certificate leaves group {was} and loses its GQ value");
            self.decision.notes.push(Note::warning(text));
        }
    }
}
