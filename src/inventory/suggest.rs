//! "Did you mean …?"

/// The name of `known` that `name` was most likely meant to be, if one is near enough.
pub fn closest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    /// Below this, a suggestion confuses more than it helps (Jaro-Winkler, 1 is equal).
    const NEAR: f64 = 0.82;
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        assert_eq!(closest("server", ["group", "servers", "peers"]), Some("servers"));
        assert_eq!(closest("Macabre", ["mort", "macabre"]), Some("macabre"));
        assert_eq!(closest("adress", ["address", "agent"]), Some("address"));
        assert_eq!(closest("kangaroo", ["address", "agent"]), None);
    }
}
