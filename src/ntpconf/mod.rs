//! The daemon's configuration: a host's lines from a template, and how they get into its files.
//!
//! [`context`] turns inventory and analysis into the typed values of a template, [`Templates`] renders them,
//! [`compose`] puts the lines into the host's files: an include file of their own (the default), a managed block,
//! or the whole file. All pure; passwords come as [`crate::secret::Secret`] and stay known as secret to the
//! byte. For people: docs/ntpconf.md and docs/templates.md.

pub mod block;
mod compose;
mod conflict;
mod context;
mod error;
mod fleet;
mod host;
mod lex;
mod rendered;
pub mod spell;
mod tags;
mod template;

pub use compose::{Composed, ConfFile, Existing, MOST_LINES, compose, is_too_long};
pub use conflict::Conflict;
pub use context::{Association, Context, Crypto, Keys};
pub use error::{ConfError, TemplateError};
pub use fleet::{Clients, ConfContext};
pub use host::{HostFacts, context, implementation_name};
pub use lex::{foreign_lines, words};
pub use rendered::{Line, REDACTED, Rendered, printable};
pub use template::{Templates, file_name};

/// The lines of one host, rendered. All problems of its values at once.
pub fn render(templates: &Templates, facts: &HostFacts<'_>) -> Result<Rendered, Vec<ConfError>> {
    let (context, secrets) = context(facts)?;
    let implementation = facts.inventory.entry(facts.host).settings.ntpd;
    templates
        .render(implementation, &context, &secrets)
        .map_err(|error| vec![error.into()])
}
