//! The symmetric keys of an inventory, found by their ids.

use super::SymmetricKey;
use std::collections::HashMap;
use std::ops::Deref;

/// Symmetric keys in the order written. There may be 65 535 of them, and each is looked up: by id, not one after the other.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    list: Vec<SymmetricKey>,
    /// Where in the list the keys of an id are, in its order.
    by_id: HashMap<u32, Vec<usize>>,
}

impl Keys {
    /// One more.
    pub fn push(&mut self, key: SymmetricKey) {
        self.by_id.entry(key.id).or_default().push(self.list.len());
        self.list.push(key);
    }

    /// Those with an id, in the order written.
    pub fn with_id(&self, id: u32) -> impl Iterator<Item = &SymmetricKey> {
        let places = self.by_id.get(&id).map_or(&[][..], Vec::as_slice);
        places.iter().map(|&at| &self.list[at])
    }

    /// Where this very key stands.
    pub fn position(&self, key: &SymmetricKey) -> Option<usize> {
        let mut places = self.by_id.get(&key.id)?.iter().copied();
        places.find(|&at| std::ptr::eq(&raw const self.list[at], key))
    }

    /// Gives the key at a place another id.
    pub fn set_id(&mut self, at: usize, id: u32) {
        let Some(key) = self.list.get_mut(at) else { return };
        if let Some(places) = self.by_id.get_mut(&key.id) {
            places.retain(|&place| place != at);
        }
        key.id = id;
        let places = self.by_id.entry(id).or_default();
        let before = places.partition_point(|&place| place < at);
        places.insert(before, at);
    }
}

impl Deref for Keys {
    type Target = [SymmetricKey];

    fn deref(&self) -> &[SymmetricKey] {
        &self.list
    }
}

impl<'k> IntoIterator for &'k Keys {
    type Item = &'k SymmetricKey;
    type IntoIter = std::slice::Iter<'k, SymmetricKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_found_by_the_id_they_have() {
        let inventory = crate::inventory::load_str(
            "version: 1\ngroups:\n  a: { symmetric_keys: { 7: {}, 8: {} } }\n  b: { symmetric_keys: { 7: {} } }\n\
             symmetric_keys: { 9: {} }\nhosts: {}\n",
        )
        .expect("an inventory");
        let mut keys = inventory.keys.clone();
        let at = |keys: &super::Keys, id: u32| -> Vec<usize> {
            keys.with_id(id)
                .map(|key| keys.position(key).expect("there"))
                .collect()
        };
        assert_eq!(
            (at(&keys, 7), at(&keys, 8), at(&keys, 9)),
            (vec![0, 2], vec![1], vec![3])
        );
        keys.set_id(2, 9);
        assert_eq!((at(&keys, 7), at(&keys, 9)), (vec![0], vec![2, 3]));
        keys.set_id(0, 9);
        assert_eq!((at(&keys, 7), at(&keys, 9)), (vec![], vec![0, 2, 3]));
        assert!(keys.iter().map(|key| key.id).eq([9, 8, 9, 9]));
    }
}
