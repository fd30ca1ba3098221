//! Applying: plan afresh, and carry the plan out.

use crate::apply::{self, Cancel, Job, Report};
use crate::inventory::HostId;
use crate::ops::connections::{Connections, connections};
use crate::ops::error::{Error, Kind, Result};
use crate::ops::health_check::{HealthCheck, Known};
use crate::ops::journal::{self, Reaches};
use crate::ops::notice::Notice;
use crate::ops::plan::{Planned, plan};
use crate::ops::readiness::Readiness;
use crate::ops::rollout::{RolloutOptions, Task};
use crate::ops::rotation;
use crate::ops::session::Session;
use crate::plan::Plan;
use crate::rotate::impact;
use std::sync::Arc;

/// What is applied, and how.
pub struct ApplyJob<'a> {
    /// To which hosts.
    pub task: &'a Task,
    /// In which steps.
    pub options: &'a RolloutOptions,
    /// What the journal and the locks of hosts say is being done.
    pub command: &'a str,
    /// The plan that was looked at; it must still be what would be done.
    pub saved: Option<&'a Plan>,
}

impl Session {
    /// Plans afresh and carries the plan out. The vault must be locked ([`Session::lock`]). Where a saved plan is not what would be
    /// done now the error is of [`Kind::Outdated`], and nothing is changed.
    pub async fn apply(&self, job: &ApplyJob<'_>, cancel: &Cancel) -> Result<Report> {
        let connections = connections(self.inventory(), job.options.limits, self.environment())?;
        let mut planned = plan(self, job.task, &connections, cancel).await?;
        if let Some(Err(differences)) = job.saved.map(|saved| saved.same_as(&planned.plan)) {
            return Err(Error::of(
                "the saved plan is not what would be done now; nothing was changed",
                Kind::Outdated {
                    differences: differences.iter().map(ToString::to_string).collect(),
                },
            ));
        }
        for host in &planned.plan.hosts {
            for warning in &host.warnings {
                self.observer().notice(Notice::PlanWarning {
                    host: &host.host,
                    warning,
                });
            }
        }
        let missed = std::mem::take(&mut planned.missed);
        if !missed.is_empty() && !job.options.limits.skip_unreachable {
            let hosts = planned.plan.hosts.iter().map(|host| host.host.clone());
            return Ok(Report::held_up(hosts, missed));
        }
        let waiting = planned.hold_back(self, job.task, &missed);
        let rollout = self.rollout(&job.task.care, job.options, &planned.plan.hosts);
        if job.task.care.apart {
            let impacts = impact::host_impacts(
                self.inventory(),
                self.analysis(),
                &planned.plan.hosts,
                &rollout.batches,
            );
            self.observer().notice(Notice::Impact(&impacts));
        }
        let page = journal::open(
            self.shared_vault(),
            job.command,
            Reaches::All(self.generation()),
            &self.environment().observer,
        )?;
        let judge = Arc::new(self.health_check(job, &planned, &connections, cancel));
        let (work, contents) = planned.work(self.shared_vault())?;
        let work = Job {
            work,
            contents,
            run_info: page.run_info(&self.origin().vault, job.command),
            rollout,
            judge: Arc::clone(&judge) as _,
        };
        let mut report = apply::apply(&connections, work, page.progress(), cancel).await;
        self.observer().notice(Notice::Ended);
        report.add_missed(missed);
        report.add_waiting(waiting);
        page.close(&report, &judge.seen())?;
        rotation::settle(self)?;
        Ok(report)
    }

    /// Who says whether hosts are well after their change, and in a rotation whether their neighbours are ready for it.
    fn health_check(
        &self,
        job: &ApplyJob<'_>,
        planned: &Planned,
        connections: &Connections,
        cancel: &Cancel,
    ) -> HealthCheck {
        let care = &job.task.care;
        let hosts = &planned.plan.hosts;
        let known = Known {
            inventory: self.inventory(),
            analysis: self.analysis(),
            state: self.state(),
        };
        let updated = hosts.iter().filter(|host| !host.told().is_empty());
        let check = HealthCheck::new(known, &job.task.hosts, job.options.verify, care.apart)
            .told(updated.map(|host| host.host.clone()));
        if !care.apart || job.options.ignore_unready {
            return check;
        }
        let disturbed = hosts.iter().filter(|host| host.begins_anew());
        let disturbed: Vec<(HostId, bool)> = disturbed
            .filter_map(|host| Some((self.inventory().find(&host.host)?, host.restarts())))
            .collect();
        let readiness = Readiness::new(
            self,
            disturbed,
            job.options.verify,
            Arc::clone(connections),
            cancel.clone(),
        );
        if !readiness.unasked.is_empty() {
            self.observer()
                .notice(Notice::ReadinessUnchecked(&readiness.unasked));
        }
        check.when_ready(readiness)
    }
}
