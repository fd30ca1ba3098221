//! The decision's part about what the user should know.

use super::{Choice, Note, decide::Run};
use keytrail_media::{Dialect, MediaKind, certificate::Role};

impl Run<'_, '_> {
    pub(super) fn advise(&mut self) {
        let mut notes = Vec::new();
        let writes_private = self.decision.files.iter().any(|file| file.name.kind.is_private());
        if self.options.password.is_none() && writes_private {
            notes.push(Note::warning(format!(
                "no password given: private files are encrypted with the host name {:?}, which is no secret",
                self.options.host
            )));
        }
        let old = self.existing.certificate.as_ref().map(|kept| &kept.value);
        if let (Some(plan), Some(old)) = (&self.decision.certificate, old) {
            if old.subject() != Some(plan.subject.as_str()) {
                let was = old.subject().unwrap_or("nobody");
                notes.push(Note::Info(format!(
                    "the certificate was {was}'s and is now {}'s",
                    plan.subject
                )));
            }
            if self.options.role.is_none() && plan.role != Role::Plain {
                notes.push(Note::Info(
                    "the certificate stays trusted or private as the old one".into(),
                ));
            }
        }
        if self
            .decision
            .certificate
            .as_ref()
            .is_some_and(|plan| plan.role == Role::Private)
        {
            let text = "private certificate scheme: every member of the group needs byte copies of the host key and of this \
                        certificate, now and after every renewal";
            notes.push(Note::Info(text.into()));
        }
        for scheme in &self.options.generate.group_keys {
            let link = MediaKind::GroupKey(*scheme).link_name(self.owner);
            if self.present.files.contains_key(&link) {
                notes.push(Note::warning(format!(
                    "{scheme} files of {} made from the former key no longer fit: export the new ones to every host",
                    self.owner
                )));
            }
        }
        self.note_unused_sizes(&mut notes);
        if self.options.dialect == Dialect::Documented && !self.decision.group_keys.is_empty() {
            let text = "the documented layout of IFF client, GQ and MV files fails with error 114 on the 4.2.8p15 daemon";
            notes.push(Note::warning(text));
        }
        if self.decision.exports.len() > 1 {
            notes.push(Note::warning(format!(
                "{} files follow each other on standard output, each with its name on its first line: give -e or -q \
                 alone, with --scheme, for one at a time",
                self.decision.exports.len()
            )));
        }
        self.decision.notes.extend(notes);
    }

    fn note_unused_sizes(&self, notes: &mut Vec<Note>) {
        let generate = &self.options.generate;
        let makes_host = matches!(self.decision.host_key, Some(Choice::Make(_)));
        let makes_sign = matches!(self.decision.sign_key, Some(Choice::Make(_)));
        if generate.bits.is_some() && !makes_host && !makes_sign {
            notes.push(Note::Info(
                "-m has no effect: host and sign key are kept (-H and -S make new ones)".into(),
            ));
        }
        if generate.identity_bits.is_some() && generate.group_keys.is_empty() {
            notes.push(Note::Info("-b has no effect without -I, -G or -V".into()));
        }
    }
}
