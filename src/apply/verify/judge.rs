//! From what a host said to what that means.

use super::ask::{Seen, program};
use super::verified::told_as_help;
use super::{Checked, Daemon, Exchange, Promised, Verification, Verified, Worry, log};
use crate::inventory::Implementation;
use crate::ntpq::{
    self, Association, AssociationRow, Cryptostats, DaemonLog, Evidence, Judgement, Line, ReadError, Refusal,
    Scheme, Server, Standing, System, Timestamp, Trouble, Verdict, Wait, chrony,
};

/// Judges one look. `since`: only what happened after counts.
pub(super) fn judge(what: &Verification, seen: &Seen, since: Option<i64>) -> Verified {
    let text = seen.part("log").unwrap_or_default();
    let log = log::recent(text, counts_since(what, seen, since), seen.clock, seen.zone);
    let asked = match what.implementation {
        Implementation::Chrony => chronyd(what, seen),
        _ => ntpd(what, seen, since),
    };
    let (daemon, associations, synchronised) = match asked {
        Ok(Answers {
            associations,
            synchronised,
            version,
        }) => (daemon(what, seen, &log, Ok(version)), associations, synchronised),
        Err(why) => (daemon(what, seen, &log, Err(why)), Vec::new(), None),
    };
    let offset = seen.offset();
    let mut verified = Verified {
        host: what.host.clone(),
        not_restarted: not_restarted(what, seen, &daemon, since),
        cannot_ask: seen.absent.is_some(),
        daemon,
        synchronised,
        associations,
        worries: Vec::new(),
        clock_offset: offset,
        at: seen.here,
        serves: what.serves,
        log_end: log::tail(&log),
    };
    verified.worries = worries(what, seen, &log, &verified);
    verified
}

/// From when on lines of the log count. A log that the configuration names has no line of the daemon's start, which is said
/// before the configuration is read: what an earlier run complained of is told from what this one does by its age.
fn counts_since(what: &Verification, seen: &Seen, since: Option<i64>) -> Option<i64> {
    /// Ages of processes are whole seconds.
    const COARSE: i64 = 2;
    let started = seen.started(program(what.implementation));
    since.or(started.map(|started| started - COARSE))
}

/// What a daemon that answers said.
struct Answers {
    associations: Vec<Checked>,
    synchronised: Option<bool>,
    version: Option<String>,
}

/// Why there is no answer.
enum NoAnswer {
    Absent(String),
    Error(ReadError),
}

impl From<ReadError> for NoAnswer {
    fn from(error: ReadError) -> Self {
        Self::Error(error)
    }
}

fn part<'a>(seen: &'a Seen, name: &str) -> Result<&'a str, NoAnswer> {
    if let Some(absent) = &seen.absent {
        return Err(NoAnswer::Absent(absent.clone()));
    }
    let missing = || {
        NoAnswer::Error(ReadError::Refused(Refusal::Other(format!(
            "no answer to '{name}'"
        ))))
    };
    seen.part(name).ok_or_else(missing)
}

fn ntpd(what: &Verification, seen: &Seen, since: Option<i64>) -> Result<Answers, NoAnswer> {
    let rows = ntpq::associations(part(seen, "as")?)?;
    let found: Vec<Association> = rows.iter().filter_map(|row| association(seen, *row)).collect();
    let system = seen.part("system").and_then(|text| System::read(text).ok());
    let stats = seen.part("cryptostats").map(|text| Cryptostats::read(text).lines);
    let associations = what.promised.iter().map(|promised| {
        let expected = &promised.expected;
        let is = |found: &&Association| {
            let name = expected.name();
            !found.is_reference_clock()
                && (expected.matches(found) || name.is_some_and(|name| seen.resolves(name, &found.srcadr)))
        };
        let association = found.iter().find(is);
        let proof = Proof {
            seen,
            stats: stats.as_deref(),
            since,
        };
        let judgement = association.map(|association| proof.judge(what, promised, association));
        proof.compare(promised, judgement.as_ref())
    });
    Ok(Answers {
        associations: associations.collect(),
        synchronised: system.as_ref().map(System::synchronised),
        version: system.and_then(|system| system.version),
    })
}

fn association(seen: &Seen, row: AssociationRow) -> Option<Association> {
    let text = seen.part(&format!("association-{}", row.associd))?;
    // One that is gone meanwhile is not there; the next look shows what came in its place.
    let mut association = Association::read(text, Some(row.status)).ok()?;
    association.associd = Some(row.associd);
    Some(association)
}

/// What an Autokey proof is held against.
struct Proof<'a> {
    seen: &'a Seen,
    stats: Option<&'a [Line]>,
    since: Option<i64>,
}

impl Proof<'_> {
    fn judge(&self, what: &Verification, promised: &Promised, association: &Association) -> Judgement {
        ntpq::judge(&Evidence {
            association,
            stats: self.stats,
            now: Some(Timestamp::from_unix(self.seen.clock)),
            since: self.since_when(promised).map(Timestamp::from_unix),
            server: server(what, promised),
        })
    }

    /// The time before which a proof shows nothing: the restart, or the making of the group's key. Without cryptostats a
    /// daemon that started after it will do: it has no older associations.
    fn since_when(&self, promised: &Promised) -> Option<i64> {
        let since = self.since.max(promised.key_made)?;
        let started = self.seen.started("ntpd");
        (self.stats.is_some() || started.is_none_or(|started| started < since)).then_some(since)
    }

    fn compare(&self, promised: &Promised, judgement: Option<&Judgement>) -> Checked {
        let mut outcome = promised.expected.compare(judgement);
        let covered = || {
            let first = self.stats?.first()?.at;
            Some(first <= Timestamp::from_unix(self.since_when(promised)?))
        };
        if outcome.standing == Standing::Stale && self.stats.is_some() && covered() != Some(true) {
            "authenticated, but the cryptostats of the host do not reach back to its last exchange"
                .clone_into(&mut outcome.sentence);
        }
        Checked {
            outcome,
            required: promised.required,
            exchange: judgement.map_or(Exchange::None, |judgement| exchange(&judgement.verdict)),
        }
    }
}

fn exchange(verdict: &Verdict) -> Exchange {
    match verdict {
        Verdict::Proven {
            scheme: Scheme::Autokey(_),
            complete,
        } => match complete {
            true => Exchange::Complete,
            false => Exchange::UnderWay,
        },
        Verdict::InProgress(Wait::Step(_)) => Exchange::UnderWay,
        _ => Exchange::None,
    }
}

fn server(what: &Verification, promised: &Promised) -> Server {
    if what.servers_up.contains(&promised.expected.server) {
        Server::Up
    } else {
        Server::Unknown
    }
}

fn chronyd(what: &Verification, seen: &Seen) -> Result<Answers, NoAnswer> {
    let tracking = chrony::tracking(part(seen, "tracking")?)?;
    let rows = chrony::sources(part(seen, "sources")?)?;
    // The same rows in the same order, by the names of the configuration.
    let names: Vec<String> = seen
        .part("names")
        .and_then(|text| chrony::sources(text).ok())
        .filter(|named| named.len() == rows.len())
        .map(|named| named.into_iter().map(|row| row.name).collect())
        .unwrap_or_default();
    let sources = chrony::join(
        rows,
        &chrony::authdata(part(seen, "authdata")?)?,
        &chrony::ntpdata(part(seen, "ntpdata")?)?,
    );
    let associations = what.promised.iter().map(|promised| {
        let expected = &promised.expected;
        let source = sources.iter().enumerate().find(|(at, source)| {
            expected.is_named(&source.row.name) || names.get(*at).is_some_and(|name| expected.is_named(name))
        });
        let judgement = source.map(|(_, source)| Judgement {
            verdict: source.verdict(server(what, promised) == Server::Up),
            host: None,
            ident: None,
            recorded: false,
            identity: None,
            exchanged: None,
            parameters: None,
            warnings: Vec::new(),
            since: None,
        });
        Checked {
            outcome: expected.compare(judgement.as_ref()),
            required: promised.required,
            exchange: Exchange::None,
        }
    });
    Ok(Answers {
        associations: associations.collect(),
        synchronised: Some(tracking.leap != "Not synchronised"),
        version: None,
    })
}

fn daemon(
    what: &Verification,
    seen: &Seen,
    log: &DaemonLog,
    answer: Result<Option<String>, NoAnswer>,
) -> Daemon {
    let name = program(what.implementation);
    let own = || seen.processes.iter().filter(|process| process.name == name);
    let answers = answer.is_ok();
    let running = answers || own().next().is_some();
    let (sentence, help) = match &answer {
        _ if !running => stopped(what, seen, log),
        Ok(_) => (format!("{name} runs"), Vec::new()),
        Err(NoAnswer::Absent(query)) => (
            format!("{name} runs, but {query} is not installed on the host, so nothing can be asked of it"),
            vec![format!(
                "install {query} there, or look at its start only: `verify: start`"
            )],
        ),
        // By itself that would be the sign of one that does not run.
        Err(NoAnswer::Error(ReadError::Refused(Refusal::ConnectionRefused))) => (
            format!("{name} has a process, but nothing listens on the NTP port of 127.0.0.1"),
            vec![
                "it is still starting, or its configuration keeps it off that address (`interface`, `-I`)"
                    .to_owned(),
            ],
        ),
        Err(NoAnswer::Error(error)) => (
            format!("{name} runs, but {error}"),
            vec![format!("try `{}` on the host", question(what))],
        ),
    };
    Daemon {
        running,
        answers,
        version: answer.ok().flatten(),
        processes: own().map(|process| process.pid).collect(),
        sentence,
        help,
        started: seen.started(name),
    }
}

fn question(what: &Verification) -> &'static str {
    match what.implementation {
        Implementation::Chrony => "chronyc authdata",
        _ => "ntpq -n -c as 127.0.0.1",
    }
}

/// Why no daemon runs.
fn stopped(what: &Verification, seen: &Seen, log: &DaemonLog) -> (String, Vec<String>) {
    let name = program(what.implementation);
    if let Some(trouble) = log::end(log, false) {
        return (
            format!("{name} has ended: {trouble}"),
            told_as_help(&trouble.explanation()),
        );
    }
    if let Some(other) = seen.processes.first() {
        return (
            format!("{name} does not run on the host, but {} does", other.name),
            vec![format!(
                "say so in the inventory (`ntpd:`), or stop {} there and start {name}",
                other.name
            )],
        );
    }
    let mut help = vec!["start it by hand there and look at what it says".to_owned()];
    for unread in &seen.unread {
        let because = unread.because.as_deref().unwrap_or("it is not there");
        help.push(format!(
            "its {} was not read ({because}); set `log` to where the log is",
            unread.path
        ));
    }
    help.push(format!(
        "where it does run, as a process that is not called {name} or out of sight in a container, say `verify: none` for \
         this host"
    ));
    (format!("no {name} runs on the host"), help)
}

/// Only a restart makes an Autokey daemon read its files. Where the clock was set back nothing can be told from times.
fn not_restarted(what: &Verification, seen: &Seen, daemon: &Daemon, since: Option<i64>) -> bool {
    /// A clock set back by less than this in the meantime changes nothing.
    const MARGIN: i64 = 60;
    match (since, daemon.started) {
        (Some(since), Some(started)) => what.autokey && seen.clock >= since && started < since - MARGIN,
        _ => false,
    }
}

fn worries(what: &Verification, seen: &Seen, log: &DaemonLog, verified: &Verified) -> Vec<Worry> {
    let mut worries: Vec<Worry> = Vec::new();
    let end = log::end(log, verified.daemon.running);
    if verified.daemon.running
        && let Some(trouble) = end
    {
        worries.push(Worry::of(trouble));
    }
    let mut all = verified
        .associations
        .iter()
        .map(|checked| checked.outcome.standing);
    let proven = all.all(|standing| standing == Standing::Met);
    let stays = |trouble: &&Trouble| !(trouble.fatal() || proven && trouble.of_one_try());
    // Who serves is not well by what it says of its own servers: its clients would find out.
    let own_keys = |trouble: &Trouble| {
        let (Trouble::KeyFileUnreadable(named) | Trouble::KeyFileRejected(named)) = trouble else {
            return false;
        };
        what.keys.as_ref().is_some_and(|file| named.contains(file))
    };
    for trouble in log.troubles().filter(stays) {
        let mut worry = Worry::of(trouble);
        worry.serious |= own_keys(trouble);
        if !worries.contains(&worry) {
            worries.push(worry);
        }
    }
    for (path, because) in seen
        .unread
        .iter()
        .filter_map(|unread| Some((&unread.path, unread.because.as_ref()?)))
    {
        worries.push(Worry {
            sentence: format!("{path} was not read: {because}"),
            help: vec![
                "what it says is missing here. What others than root can replace is read as the daemon's user, who must be \
                 able to read it"
                    .to_owned(),
            ],
            serious: false,
            fatal: false,
        });
    }
    if own_certificate_expired(seen) {
        worries.push(Worry {
            sentence: "its own certificate has expired".to_owned(),
            help: vec![
                "it cannot be signed any more, and clients of this host that begin an exchange get 115 for ever".to_owned(),
                "apply: an expired certificate is made anew".to_owned(),
            ],
            serious: what.serves,
            fatal: false,
        });
    }
    if let Some(offset) = verified.clock_offset {
        let side = if offset < 0 { "behind" } else { "ahead of" };
        worries.push(Worry {
            sentence: format!("its clock is {} s {side} the controller's", offset.unsigned_abs()),
            help: vec!["one of the two is wrong: certificates are only valid between their dates".to_owned()],
            serious: false,
            fatal: false,
        });
    }
    worries
}

fn own_certificate_expired(seen: &Seen) -> bool {
    let system = seen.part("crypto").and_then(|text| System::read(text).ok());
    let now = Timestamp::from_unix(seen.clock);
    system.and_then(|system| system.certificate_expired(Some(now))) == Some(true)
}
