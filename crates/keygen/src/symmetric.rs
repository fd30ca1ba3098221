//! `-M`: a file of symmetric keys.

use super::{Link, Note, Options, Outcome, Present, Result};
use keytrail_media::{Body, MediaFile, MediaKind, MediaName, key_file, symmetric::SymmetricKey};

/// Makes the twenty keys of `ntp-keygen -M`, in a file of the group or the host, linked as `ntp.keys`. `now` is in
/// Unix seconds.
///
/// # Errors
/// A file of the user's own in the place of the link, or no random numbers.
pub fn symmetric_keys(options: &Options, present: &Present, now: i64) -> Result<Outcome> {
    let kind = MediaKind::SymmetricKeys;
    let owner = options.group.as_deref().unwrap_or(&options.host);
    let stamp = present.stamp_after(now, [(kind, owner)])?;
    let name = MediaName::new(kind, owner, stamp)?;
    let link = Link {
        name: name.link(),
        target: name.to_string(),
    };
    let settle = present.settle(std::slice::from_ref(&link))?;
    let body = Body::Text(key_file::lines_of_the_generator(
        &SymmetricKey::generate_twenty()?
    )?);
    let mut outcome = Outcome {
        settle,
        links: vec![link],
        notes: vec![Note::Info(
            "MD5 and SHA1 keys are what this program always made; AES128CMAC keys are what to move to".into(),
        )],
        ..Outcome::default()
    };
    let path = name.to_string();
    outcome.add(
        &MediaFile {
            name,
            made: now,
            body,
        },
        path,
        false,
    );
    Ok(outcome)
}
