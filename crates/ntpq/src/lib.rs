//! What the daemons say of themselves: parsers for `ntpq` (ntp.org and NTPsec), `chronyc -c`, cryptostats and
//! daemon logs, and the judgement whether an association is authenticated as the inventory promises.
//!
//! Pure functions from text to values: running the commands on a host is the caller's business. Three layers:
//!
//! 1. **read**: [`associations`], [`peers`], [`Variables`] (with [`Association`], [`System`], [`Clock`]),
//!    [`Cryptostats`], [`DaemonLog`], [`chrony`]. Unknown fields are kept or skipped, nonsense in a known one is a
//!    [`ReadError`] with output, line and what is wrong.
//! 2. **judge**: [`judge`](judge()) makes an [`Association`] and its cryptostats a [`Verdict`]; [`daemon_state`]
//!    tells whether the daemon runs; [`chrony::Source::verdict`] does the same for chrony.
//! 3. **compare**: [`Expected::compare`] holds a verdict against what the inventory wants and answers with a
//!    sentence.
//!
//! The rules are measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3. The four that are easily got wrong:
//!
//! * `auth ok` only says that the last accepted packet had a good MAC. Proven is the PROV bit *and* `auth ok`
//!   *and* something heard in the last two polls.
//! * The scheme bits of `flags` are what the server says of itself. Without `ident=` on the association nothing of
//!   it was checked: that is trusted certificates alone.
//! * A running association is never examined again. After a change only cryptostats lines of after the restart
//!   show which generation was proven.
//! * `auth bad` is also what an association shows that has never been answered.

mod association;
mod bits;
pub mod chrony;
mod cryptostats;
mod daemon;
mod error;
mod error_code;
mod expect;
mod explain_error;
mod explain_log;
mod explanation;
mod judge;
mod log;
mod recognise;
mod system;
mod table;
mod time;
mod trouble;
mod variables;
mod verdict;

pub use association::{Association, Keying};
pub use bits::{CertificateFlags, CryptoFlags, Flash, PeerEvent, PeerStatus, Selection};
pub use cryptostats::{Cryptostats, Entry, ErrorLine, Line, Opcode, Step};
pub use daemon::{DaemonState, daemon_state};
pub use error::{ReadError, Refusal};
pub use error_code::ErrorCode;
pub use expect::{Expected, Outcome, Promise, Standing, limit};
pub use explain_error::{explain, explain_at};
pub use explanation::Explanation;
pub use judge::{Evidence, Identity, Judgement, Server, judge};
pub use log::{DaemonLog, LogEntry};
pub use system::{Clock, HeldCertificate, System};
pub use table::{AssociationRow, PeerRow, associations, peers};
pub use time::Timestamp;
pub use trouble::{NtsReason, Trouble};
pub use variables::{Variable, Variables};
pub use verdict::{Failure, Scheme, Verdict, Wait};
