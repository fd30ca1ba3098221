//! What hosts would undo, for people.

use crate::ops::rollback::HostRollback;
use crate::report::{self, Screen, counted};

/// A row for each host that would go back, and how many would stay.
pub fn text(hosts: &[HostRollback], screen: Screen) -> String {
    let going: Vec<&HostRollback> = hosts.iter().filter(|host| !host.undoes.is_empty()).collect();
    let stay = counted(hosts.len() - going.len(), "host");
    if going.is_empty() {
        return format!("Nothing to take back: {stay} would stay as they are.");
    }
    let mut table = report::table(["HOST", "GENERATION", "UNDOES RUNS"], screen);
    let generation = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    for host in &going {
        let change = format!("{} → {}", generation(host.from), generation(host.to));
        table.add_row([host.host.clone(), change, host.undoes.join(", ")]);
    }
    format!(
        "{}\n\n{} would go back, {stay} would stay.",
        report::table_text(table, screen),
        counted(going.len(), "host")
    )
}
