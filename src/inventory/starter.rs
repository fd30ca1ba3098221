//! What `keytrail init` writes.

/// A commented inventory to start from. It loads, and its trails are proved.
pub const STARTER: &str = include_str!("starter.yaml");

#[cfg(test)]
mod tests {
    #[test]
    fn loads_cleanly() {
        let inventory = super::super::load_str(super::STARTER).unwrap();
        assert!(inventory.hosts.len() > 4 && !inventory.groups.is_empty());
        // What stands in comments is to be taken out of them, not to be corrected first.
        let uncommented = |line: &str| match line.trim_start().strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => line.replacen('#', "", 1),
            _ => line.to_owned(),
        };
        let all: Vec<_> = super::STARTER.lines().map(uncommented).collect();
        let inventory = super::super::load_str(&all.join("\n")).unwrap();
        assert!(!inventory.policies.is_empty() && inventory.groups.len() == 2);
    }
}
