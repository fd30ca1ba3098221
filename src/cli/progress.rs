//! Progress on standard error: bars on a terminal, a line now and then elsewhere, nothing with `--quiet`.
//!
//! One bar for the whole phase and one line for each host in flight, never one for every host of the fleet:
//! drawing thousands of bars takes longer than the work.

use crate::apply::{Event, Phase};
use crate::cli::ui::{Ui, tame};
use crate::cli::view::notice::{self, Weight};
use crate::ops::{Notice, Observer};
use crate::report::Screen;
use crate::vocabulary::counted;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of hosts in flight that are shown at the same time.
const LINES: usize = 12;
/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Shows what goes on.
pub struct Console {
    state: Mutex<State>,
    screen: Screen,
}

enum State {
    Silent,
    Lines(Lines),
    Bars(Bars),
}

/// Progress without a terminal.
struct Lines {
    what: String,
    done: usize,
    of: usize,
    last: Instant,
}

/// Progress on a terminal.
struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    hosts: HashMap<String, ProgressBar>,
}

impl Console {
    /// As the output wants it.
    pub fn new(out: &Ui) -> Self {
        let state = if out.quiet() {
            State::Silent
        } else if out.bars() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            State::Bars(Bars {
                all,
                total: ProgressBar::hidden(),
                hosts: HashMap::new(),
            })
        } else {
            State::Lines(Lines {
                what: String::new(),
                done: 0,
                of: 0,
                last: Instant::now(),
            })
        };
        Self {
            state: Mutex::new(state),
            screen: out.stderr_screen(),
        }
    }

    /// A piece of work begins that has `of` parts.
    fn begin(&self, what: &str, of: usize) {
        match &mut *self.lock() {
            State::Silent => {}
            State::Lines(lines) => {
                *lines = Lines {
                    what: what.to_owned(),
                    done: 0,
                    of,
                    last: Instant::now(),
                };
                if of > 0 {
                    say(&format!("{what}: {of} to do"));
                }
            }
            State::Bars(bars) => {
                bars.clear();
                let style =
                    ProgressStyle::with_template("{msg:>10} {bar:32.green/dim} {pos}/{len} {elapsed:.dim}")
                        .expect("a valid template")
                        .progress_chars("━╸─");
                bars.total = bars.all.add(ProgressBar::new(of as u64).with_style(style));
                bars.total.set_message(what.to_owned());
            }
        }
    }

    /// A part is worked on.
    fn start(&self, part: &str, doing: &str) {
        if let State::Bars(bars) = &mut *self.lock()
            && bars.hosts.len() < LINES
        {
            let style =
                ProgressStyle::with_template("           {spinner:.cyan} {msg}").expect("a valid template");
            let bar = bars.all.add(ProgressBar::new_spinner().with_style(style));
            bar.set_message(format!("{part}: {doing}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bars.hosts.insert(part.to_owned(), bar);
        }
    }

    /// A part is done, or failed for a reason that is worth a line at once.
    fn end(&self, part: &str, failed: Option<&str>) {
        match &mut *self.lock() {
            State::Silent => {}
            State::Lines(lines) => {
                lines.done += 1;
                if let Some(why) = failed {
                    say(&format!("{part}: {why}"));
                }
                if lines.last.elapsed() >= EVERY && lines.done < lines.of {
                    lines.last = Instant::now();
                    say(&format!("{}: {} of {}", lines.what, lines.done, lines.of));
                }
            }
            State::Bars(bars) => {
                if let Some(bar) = bars.hosts.remove(part) {
                    bar.finish_and_clear();
                }
                if let Some(why) = failed {
                    // A terminal that went away is no reason to stop.
                    let _ = bars.all.println(tame(&format!("{part}: {why}"), false));
                }
                bars.total.inc(1);
            }
        }
    }

    /// A word between.
    fn word(&self, weight: Weight, text: &str) {
        match &*self.lock() {
            State::Silent if weight == Weight::Note => {}
            State::Silent | State::Lines(_) => say(text),
            State::Bars(bars) => {
                let _ = bars.all.println(tame(text, false));
            }
        }
    }

    /// Takes all bars away, before results are printed.
    fn finish(&self) {
        if let State::Bars(bars) = &mut *self.lock() {
            bars.clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bars {
    fn clear(&mut self) {
        for (_, bar) in self.hosts.drain() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }
}

impl Observer for Console {
    fn notice(&self, notice: Notice<'_>) {
        match notice {
            Notice::MintingBegan { parts } => self.begin("minting", parts),
            Notice::MintingDone { owner } => self.end(owner, None),
            Notice::Began { what, of } => self.begin(what, of),
            Notice::Done { part } => self.end(part, None),
            Notice::Ended => self.finish(),
            Notice::Host(event) => self.host(&event),
            other => {
                let (weight, text) = notice::text(&other, self.screen);
                self.word(weight, &text);
            }
        }
    }
}

impl Console {
    fn host(&self, event: &Event<'_>) {
        match event {
            Event::Began { phase, wave, hosts } => match wave {
                // Waves are counted from 1 for people, as in the plan.
                Some(wave) => self.begin(&format!("wave {}", wave + 1), *hosts),
                None => self.begin(doing(*phase), *hosts),
            },
            Event::Started { host, phase } => self.start(host, doing(*phase)),
            // What could not be looked at is said in full right after.
            Event::Ended {
                host,
                phase: Phase::Observe,
                ..
            } => self.end(host, None),
            Event::Ended { host, error, .. } => self.end(host, error.map(ToString::to_string).as_deref()),
            Event::Settled { .. } => {}
            Event::Stopped { hosts, why } => self.word(
                Weight::Note,
                &format!("stopping, {} left as before: {why}", counted(*hosts, "host")),
            ),
        }
    }
}

fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Observe => "looking",
        Phase::Stage => "staging",
        Phase::Activate => "activating",
        Phase::Verify => "verifying",
        Phase::Rollback => "rolling back",
        Phase::Unlock => "unlocking",
    }
}

fn say(text: &str) {
    // A closed standard error is nothing to die of.
    let _ = writeln!(std::io::stderr().lock(), "{}", tame(text, false));
}
