//! What a certificate says, and whether the daemon takes it.

use super::{
    Result,
    report::{CertificateReport, Proof, Report, rfc3339},
};
use crate::{
    Filestamp, SignatureDigest,
    certificate::{Certificate, MAX_NAME, PublicKey, Role},
    gq,
    number::Number,
};
use keytrail_vocabulary::Severity::{Error as Bad, Note, Warning};

/// Puts the fields into the report, and what is wrong with them.
pub(super) fn judge(
    report: &mut Report,
    certificate: &Certificate,
    stamp: Filestamp,
    now: i64,
) -> Result<()> {
    let fields = fields(certificate, now)?;
    report.proof = Some(Proof {
        equations: "its own key made its signature",
        holds: fields.self_signed,
    });
    if !fields.self_signed {
        let what = "its own key did not sign it: the daemon takes only self-signed certificates from files";
        report.remark(Bad, what, None);
    }
    match certificate.subject() {
        None => report.remark(
            Bad,
            format!("it has no name, as ntp-keygen makes of names over {MAX_NAME} characters; the daemon refuses it"),
            Some("choose a shorter host or group name"),
        ),
        Some(_) if certificate.subject() != certificate.issuer() => {
            report.remark(Bad, "subject and issuer differ: this is not a host's own certificate", None);
        }
        Some(_) => {}
    }
    if !certificate.suits(stamp) {
        let what = format!(
            "the filestamp {stamp} is later than the start of validity: the daemon refuses the certificate"
        );
        report.remark(
            Bad,
            what,
            Some("make the certificate anew, with a stamp not after its notBefore"),
        );
    }
    validity(report, certificate, fields.days_left, now);
    if fields.gq_public_bits.is_some_and(|bits| bits > gq::MAX_BITS) {
        let what = "its GQ public value is too long: the daemon misreads it, clients get error 114";
        report.remark(Bad, what, Some("mint a GQ group key of at most 1016 bits"));
    }
    if fields.key_algorithm == "DSA" {
        let what = "a server with this DSA certificate is refused by its clients (error 105); pure clients can use it";
        report.remark(
            Warning,
            what,
            Some("use an RSA sign key on hosts that serve others"),
        );
    }
    if fields
        .scheme
        .is_some_and(|scheme| scheme.digest == SignatureDigest::Md5)
    {
        report.remark(
            Note,
            "signed with MD5, which can be forged",
            Some("use RSA-SHA256"),
        );
    }
    if fields.role == Role::Private {
        report.remark(
            Note,
            "the private certificate of a PC group: it must stay within the group",
            None,
        );
    }
    report.certificate = Some(fields);
    Ok(())
}

fn fields(certificate: &Certificate, now: i64) -> Result<CertificateReport> {
    let (key_algorithm, key_bits) = match certificate.public_key() {
        PublicKey::Rsa { n, .. } => ("RSA", n.bits()),
        PublicKey::Dsa { p, .. } => ("DSA", p.bits()),
    };
    Ok(CertificateReport {
        subject: certificate.subject().map(str::to_owned),
        issuer: certificate.issuer().map(str::to_owned),
        group: certificate.group().map(str::to_owned),
        serial: certificate.serial().to_hex(),
        not_before: rfc3339(certificate.not_before()),
        not_after: rfc3339(certificate.not_after()),
        days_left: certificate.not_after().saturating_sub(now).div_euclid(86400),
        scheme: certificate.scheme(),
        signature_oid: certificate.signature_oid(),
        role: certificate.role(),
        key_algorithm,
        key_bits,
        gq_public_bits: certificate.gq_public().as_ref().map(Number::bits),
        self_signed: certificate.is_self_signed()?,
    })
}

fn validity(report: &mut Report, certificate: &Certificate, days_left: i64, now: i64) {
    let renew = Some("renew it with a new filestamp");
    if certificate.not_after() <= certificate.not_before() {
        report.remark(
            Bad,
            "its validity ends before it begins: the daemon refuses it",
            None,
        );
    } else if now >= certificate.not_after() {
        let date = rfc3339(certificate.not_after());
        report.remark(
            Bad,
            format!("it expired on {date:.10}: new exchanges below this host fail"),
            renew,
        );
    } else if now < certificate.not_before() {
        report.remark(Bad, "it is not valid yet", Some("check the clocks, or wait"));
    } else if days_left < 30 {
        report.remark(Warning, format!("it expires in {days_left} days"), renew);
    }
}
