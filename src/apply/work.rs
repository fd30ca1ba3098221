//! What is to be done on one host, and where its contents come from.

use super::phase::PhaseError;
use crate::digest::Digest;
use crate::plan::{Action, FileSpec, HostPlan};
use crate::secret::Secret;

/// Where on a host files go, and whose they become.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Directory that stands for `/` on the host; `None`: `/`. It must exist.
    pub root: Option<String>,
    /// Directory of the key media, absolute; made where it is missing.
    pub keysdir: String,
    /// Owner of placed files, by name or number; `None`: whoever writes them, or the owner of the file replaced.
    pub owner: Option<String>,
    /// Group of placed files, by name or number.
    pub group: Option<String>,
}

/// What is to be done on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostWork {
    /// Its part of the plan.
    pub plan: HostPlan,
    /// Where.
    pub site: Site,
    /// What the host keeps of the vault once it is changed (`vault::Signer::host_record`); empty: what it has.
    pub record: String,
}

/// Where contents come from, one at a time: a plan holds digests only, and the contents of ten thousand hosts
/// are never in memory together. Called from worker threads.
pub trait ContentSource: Send + Sync {
    /// The content of the file at `path` on `host`, whose digest is `digest`. `Err`: why it cannot be had.
    fn content(&self, host: &str, path: &str, digest: &Digest) -> Result<Secret, String>;
}

impl HostWork {
    /// Whether there is anything to stage.
    pub(super) fn needs_staging(&self) -> bool {
        let mut actions = self.plan.actions.iter();
        actions.any(|action| matches!(action, Action::PutFile { .. }))
    }

    /// Whether there is anything to activate.
    pub(super) fn needs_activation(&self) -> bool {
        let mut actions = self.plan.actions.iter();
        actions.any(|action| !matches!(action, Action::PutFile { .. }))
    }

    /// A file's content, if it is the one the plan speaks of.
    pub(super) fn content(
        &self,
        contents: &dyn ContentSource,
        path: &str,
        file: &FileSpec,
    ) -> Result<Secret, PhaseError> {
        let content = contents
            .content(&self.plan.host, path, &file.digest)
            .map_err(|why| PhaseError::here(format!("the content of {path} cannot be had: {why}")))?;
        if Digest::of(content.expose()) == file.digest {
            Ok(content)
        } else {
            Err(PhaseError::here(format!(
                "the content of {path} is not the one the plan was made with: make a new plan"
            )))
        }
    }
}
