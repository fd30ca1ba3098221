//! Where relative paths of an inventory start from.

use crate::finding::SourceId;
use crate::inventory::model::Source;
use std::path::{Path, PathBuf};

/// The directory of an inventory file.
pub fn of_file(sources: &[Source], source: SourceId) -> PathBuf {
    let path = sources
        .get(usize::from(source.0))
        .and_then(|source| source.path.parent());
    path.map(Path::to_owned).unwrap_or_default()
}
