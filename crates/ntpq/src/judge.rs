//! From an association's variables and its cryptostats to a verdict (ntp.org and NTPsec).

use super::association::{Association, Keying};
use super::bits::{CryptoFlags, Flash, PeerEvent};
use super::cryptostats::{Entry, ErrorLine, Line, Step};
use super::time::Timestamp;
use super::verdict::{Failure, Scheme, Verdict, Wait};
use keytrail_vocabulary::IdentityScheme;

/// What is known of the server from elsewhere. From the client alone, a server that is down and one that drops
/// requests without a word look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Server {
    /// Nothing.
    #[default]
    Unknown,
    /// Its daemon runs and its clock is set.
    Up,
    /// Its daemon does not run.
    Down,
}

/// Everything a verdict rests on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The association's variables.
    pub association: &'a Association,
    /// The host's cryptostats, oldest first; `None` where the host keeps none.
    pub stats: Option<&'a [Line]>,
    /// The host's clock when the variables were read; else the last packet counts as now.
    pub now: Option<Timestamp>,
    /// Only what happened since then counts as shown: the restart that a change came with.
    pub since: Option<Timestamp>,
    /// The server, seen from elsewhere.
    pub server: Server,
}

/// The server's identity as it was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// When.
    pub at: Timestamp,
    /// By which scheme.
    pub scheme: IdentityScheme,
    /// Certificate name at the end of the trail.
    pub issuer: String,
    /// Filestamp of the group key it was proven with.
    pub stamp: u32,
}

/// A verdict and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The state.
    pub verdict: Verdict,
    /// Certificate name of the server.
    pub host: Option<String>,
    /// The group whose parameters the line asks for.
    pub ident: Option<String>,
    /// Whether there were cryptostats to look at.
    pub recorded: bool,
    /// The last proof of identity of this association, since the time asked for.
    pub identity: Option<Identity>,
    /// When its last exchange came to the cookie, since the time asked for.
    pub exchanged: Option<Timestamp>,
    /// Filestamp of this host's parameters for that group, as last read.
    pub parameters: Option<u32>,
    /// Errors of this association that did not stop it, each once, with how often.
    pub warnings: Vec<(ErrorLine, u32)>,
    /// The time asked for.
    pub since: Option<Timestamp>,
}

impl Judgement {
    /// When this association last came through an exchange, as far as the record goes.
    pub fn last_exchange(&self) -> Option<Timestamp> {
        self.exchanged.or(self.identity.as_ref().map(|i| i.at))
    }
}

/// Polls without progress after which an exchange is stuck: a step takes one, the rest is margin.
const STALLED_POLLS: u32 = 5;
/// Polls without an answer after which silence means something.
const SILENT_POLLS: u32 = 3;

/// Judges one association.
pub fn judge(evidence: &Evidence<'_>) -> Judgement {
    let a = evidence.association;
    let history = history(evidence);
    let verdict = match a.keying() {
        _ if a.is_reference_clock() => Verdict::ReferenceClock,
        Keying::None if a.reach != 0 => Verdict::NotAuthenticated,
        Keying::None => Verdict::Unreachable,
        Keying::Key(id) => symmetric(evidence, id),
        Keying::Nts => nts(evidence),
        Keying::Autokey => autokey(evidence, &history),
    };
    let stopped = match &verdict {
        Verdict::Failed(Failure::Refused { line, .. }) => Some(line.code),
        _ => None,
    };
    let mut warnings: Vec<(ErrorLine, u32)> = Vec::new();
    for error in errors(&history).filter(|e| Some(e.code) != stopped) {
        match warnings.iter_mut().find(|(w, _)| w.code == error.code) {
            Some((_, times)) => *times += 1,
            None => warnings.push((error.clone(), 1)),
        }
    }
    Judgement {
        verdict,
        host: a.host.clone(),
        ident: a.ident.clone(),
        recorded: evidence.stats.is_some(),
        identity: history.iter().rev().find_map(|line| match &line.entry {
            Entry::Identity {
                scheme,
                issuer,
                stamp,
            } => Some(Identity {
                at: line.at,
                scheme: *scheme,
                issuer: issuer.clone(),
                stamp: *stamp,
            }),
            _ => None,
        }),
        exchanged: history
            .iter()
            .rev()
            .find(|line| line.entry == Entry::Cookie)
            .map(|line| line.at),
        parameters: parameters(evidence),
        warnings,
        since: evidence.since,
    }
}

/// The lines of this very association: from the first that carries its number on, since the time asked for.
/// Numbers are new with every restart and every `unpeer`.
fn history<'a>(evidence: &Evidence<'a>) -> Vec<&'a Line> {
    let a = evidence.association;
    let Some(number) = a.associd.map(u32::from) else {
        return Vec::new();
    };
    let stats = evidence.stats.unwrap_or_default();
    let own = |line: &&Line| line.address.as_deref() == Some(&a.srcadr);
    let carries = |line: &Line| match &line.entry {
        Entry::Association { associd, .. } => *associd == number,
        Entry::Error(error) => error.associd == number,
        _ => false,
    };
    stats
        .iter()
        .filter(own)
        .skip_while(|line| !carries(line))
        .filter(|line| evidence.since.is_none_or(|since| line.at >= since))
        .filter(|line| match &line.entry {
            Entry::Error(error) => error.associd == number && !error.while_serving(),
            _ => true,
        })
        .collect()
}

fn errors<'a>(history: &[&'a Line]) -> impl Iterator<Item = &'a ErrorLine> {
    history.iter().filter_map(|line| match &line.entry {
        Entry::Error(error) => Some(error),
        _ => None,
    })
}

/// The last error that the exchange has not got past since. After an error of the certificate step the next
/// certificates prove nothing: the exchange may have begun anew.
fn outstanding<'a>(history: &[&'a Line]) -> Option<&'a ErrorLine> {
    let at = history
        .iter()
        .rposition(|line| matches!(line.entry, Entry::Error(_)))?;
    let Entry::Error(error) = &history[at].entry else {
        return None;
    };
    let overcome = history[at + 1..]
        .iter()
        .filter_map(|line| line.entry.completes())
        .any(|done| match error.opcode.step() {
            Some(Step::Certificate) => done > Step::Certificate,
            Some(step) => done >= step,
            None => false,
        });
    (!overcome).then_some(error)
}

fn autokey(evidence: &Evidence<'_>, history: &[&Line]) -> Verdict {
    let a = evidence.association;
    let flags = a.flags.unwrap_or(CryptoFlags(0));
    if flags.has(CryptoFlags::PROV) {
        let scheme = Scheme::Autokey(scheme(flags, a.ident.as_deref()));
        return if a.heard_lately() && a.status.authentic() {
            Verdict::Proven {
                scheme,
                complete: flags.has(CryptoFlags::SIGN | CryptoFlags::LEAP),
            }
        } else if a.heard_lately() {
            Verdict::Failed(Failure::PacketsRefused)
        } else if a.reach != 0
            || a.status.event() == Some(PeerEvent::Unreachable)
            || a.unreach >= SILENT_POLLS
        {
            Verdict::Lost(scheme)
        } else {
            Verdict::InProgress(Wait::FirstSample)
        };
    }
    if let Some(error) = outstanding(history) {
        let times = errors(history).filter(|e| e.code == error.code).count();
        return Verdict::Failed(Failure::Refused {
            line: error.clone(),
            times: u32::try_from(times).unwrap_or(u32::MAX),
        });
    }
    if a.flash.has(Flash::PKT_STRATUM) {
        return Verdict::InProgress(Wait::ServerClock);
    }
    if a.flags.is_none() {
        return if a.received.is_some() || a.status.authentic() {
            Verdict::InProgress(Wait::Step(Step::Association))
        } else {
            silence(evidence, Failure::Silent)
        };
    }
    let step = if !flags.has(CryptoFlags::CERT) {
        Step::Certificate
    } else if !flags.has(CryptoFlags::VRFY) {
        Step::Identity
    } else {
        Step::Cookie
    };
    if stalled(evidence, history) {
        return Verdict::Failed(Failure::Stalled(step));
    }
    Verdict::InProgress(Wait::Step(step))
}

/// The scheme behind a proof: the bits are what the server holds, and only with `ident` on the association one of
/// them was asked for, the first of IFF, GQ, MV.
fn scheme(flags: CryptoFlags, ident: Option<&str>) -> IdentityScheme {
    if flags.has(CryptoFlags::PC) {
        return IdentityScheme::Pc;
    }
    match ident {
        Some(_) if flags.has(CryptoFlags::IFF) => IdentityScheme::Iff,
        Some(_) if flags.has(CryptoFlags::GQ) => IdentityScheme::Gq,
        Some(_) if flags.has(CryptoFlags::MV) => IdentityScheme::Mv,
        _ => IdentityScheme::Tc,
    }
}

/// Whether the last step of the exchange is longer ago than it can take.
fn stalled(evidence: &Evidence<'_>, history: &[&Line]) -> bool {
    let a = evidence.association;
    let last = history.iter().rev().find(|line| line.entry.completes().is_some());
    match (last, evidence.now.or(a.received)) {
        (Some(last), Some(now)) => (now - last.at).as_secs() > u64::from(STALLED_POLLS) << a.hpoll.min(17),
        _ => false,
    }
}

fn symmetric(evidence: &Evidence<'_>, id: u32) -> Verdict {
    let a = evidence.association;
    let scheme = Scheme::Key(id);
    if a.status.authentic() && a.heard_lately() {
        return Verdict::Proven {
            scheme,
            complete: true,
        };
    }
    if a.status.event() == Some(PeerEvent::BadAuthentication) {
        return Verdict::Failed(Failure::KeyUnusable(id));
    }
    if a.flash.has(Flash::PKT_AUTH) {
        // A key taken from the running daemon leaves auth ok behind, a wrong one never had it.
        return Verdict::Failed(if a.status.authentic() {
            Failure::KeyUnusable(id)
        } else {
            Failure::KeyRefused(id)
        });
    }
    if a.status.authentic() {
        return match evidence.server {
            Server::Up => Verdict::Failed(Failure::KeyRefused(id)),
            _ => Verdict::Lost(scheme),
        };
    }
    if a.heard_lately() {
        return Verdict::Failed(Failure::KeyRefused(id));
    }
    silence(evidence, Failure::KeyRefused(id))
}

/// NTS, as NTPsec shows it: no address before the key establishment, `hpoll` 12 after it failed.
fn nts(evidence: &Evidence<'_>) -> Verdict {
    const AFTER_FAILED_HANDSHAKE: u8 = 12;
    let a = evidence.association;
    let no_address = a.srcadr == "0.0.0.0" || a.srcadr == "::";
    if a.status.authentic() && a.heard_lately() {
        Verdict::Proven {
            scheme: Scheme::Nts,
            complete: true,
        }
    } else if no_address && a.hpoll >= AFTER_FAILED_HANDSHAKE {
        Verdict::Failed(Failure::NtsHandshake)
    } else if no_address {
        Verdict::InProgress(Wait::NtsKeys)
    } else if a.status.authentic() {
        Verdict::Lost(Scheme::Nts)
    } else {
        silence(evidence, Failure::Silent)
    }
}

/// Nothing was heard: too early to tell, refused in silence, or not there.
fn silence(evidence: &Evidence<'_>, refused: Failure) -> Verdict {
    let a = evidence.association;
    if a.unreach < SILENT_POLLS && evidence.server != Server::Down {
        return Verdict::InProgress(Wait::FirstAnswer);
    }
    match evidence.server {
        Server::Up => Verdict::Failed(refused),
        Server::Down | Server::Unknown => Verdict::Unreachable,
    }
}

/// The stamp of the parameters for the association's group, as the daemon last read them.
fn parameters(evidence: &Evidence<'_>) -> Option<u32> {
    let group = evidence.association.ident.as_deref()?;
    evidence.stats?.iter().rev().find_map(|line| match &line.entry {
        Entry::Loaded { file, stamp } => ["iff", "gq", "mv"]
            .iter()
            .any(|scheme| {
                file.to_ascii_lowercase()
                    .strip_prefix(&format!("ntpkey_{scheme}par_"))
                    .is_some_and(|owner| owner.eq_ignore_ascii_case(group))
            })
            .then_some(*stamp),
        _ => None,
    })
}
