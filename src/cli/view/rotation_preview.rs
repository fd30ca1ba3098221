//! What a rotation would do: the plan, and what each daemon does meanwhile.

use crate::ops::saved_plan::Saved;
use crate::plan::render;
use crate::rotate::impact::{self, HostImpact};
use serde::Serialize;

/// A plan and what daemons do while it is carried out.
#[derive(Serialize)]
pub struct RotationPreview<'a> {
    /// The plan, as it is saved.
    #[serde(flatten)]
    pub saved: Saved<'a>,
    /// What each daemon does meanwhile.
    pub between: &'a [HostImpact],
}

impl RotationPreview<'_> {
    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}",
            render::text(self.saved.plan),
            impact::text(self.between)
        )
    }
}
