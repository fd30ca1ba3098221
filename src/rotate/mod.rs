//! Rotation and renewal: which secrets are made anew, what daemons do in between, in which order hosts change, and what is
//! left to do.
//!
//! No second executor: the vault is asked for new media ([`subject`] says which), then the ordinary plan runs. What stands here is
//! pure: what was measured of the daemon as numbers ([`gap`]), batches in which no host loses two of its servers at once
//! ([`order`]), what each daemon does meanwhile ([`impact`]), and the record of a rotation, from which follows what of it is
//! pending ([`record`], and [`gq_skew`] for what only GQ knows).

pub mod gap;
pub mod gq_skew;
pub mod idents;
pub mod impact;
pub mod order;
pub mod record;
pub mod removed_hosts;
pub mod renumber;
pub mod seamless;
pub mod subject;

#[cfg(test)]
mod idents_tests;
#[cfg(test)]
mod tests;
