//! Numbers by name, where the names are kept elsewhere.

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher as _;

/// Finds the number of a name without a copy of the names: whoever keeps them says which name a number has.
#[derive(Debug, Clone, Default)]
pub struct Names {
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// The number of a name.
    pub fn find<'n>(&self, name: &str, name_of: impl Fn(u32) -> &'n str) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        self.numbers
            .find(hash, |&number| name_of(number) == name)
            .copied()
    }

    /// Makes a number that of its name; returns the one that was so far.
    pub fn insert<'n>(&mut self, number: u32, name_of: impl Fn(u32) -> &'n str) -> Option<u32> {
        match self.entry(name_of(number), name_of) {
            Entry::Occupied(mut known) => Some(std::mem::replace(known.get_mut(), number)),
            Entry::Vacant(new) => {
                new.insert(number);
                None
            }
        }
    }

    /// Gives a new name its number; or the number it has already.
    ///
    /// # Errors
    /// The number of a name that is known.
    pub fn add<'n>(&mut self, name: &str, number: u32, name_of: impl Fn(u32) -> &'n str) -> Result<(), u32> {
        match self.entry(name, name_of) {
            Entry::Occupied(known) => Err(*known.get()),
            Entry::Vacant(new) => {
                new.insert(number);
                Ok(())
            }
        }
    }

    /// Where a name is, or would be.
    fn entry<'n>(&mut self, name: &str, name_of: impl Fn(u32) -> &'n str) -> Entry<'_, u32> {
        let hasher = &self.hasher;
        self.numbers.entry(
            hasher.hash_one(name),
            |&other| name_of(other) == name,
            |&other| hasher.hash_one(name_of(other)),
        )
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Makes room for so many more. Without, growing hashes every name again.
    pub fn reserve<'n>(&mut self, more: usize, name_of: impl Fn(u32) -> &'n str) {
        let hasher = &self.hasher;
        self.numbers
            .reserve(more, |&number| hasher.hash_one(name_of(number)));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.numbers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn the_last_of_a_name_is_found() {
        let kept: Vec<String> = (0..1000).map(|number| format!("h{}", number % 900)).collect();
        let name_of = |number: u32| kept[number as usize].as_str();
        let mut names = Names::default();
        names.reserve(10, name_of);
        for number in 0..1000 {
            assert_eq!(names.insert(number, name_of), number.checked_sub(900));
        }
        assert_eq!(names.find("h7", name_of), Some(907));
        assert_eq!(names.find("h100", name_of), Some(100));
        assert_eq!(names.find("h900", name_of), None);
        assert_eq!(names.len(), 900);
        assert_eq!(names.add("h7", 1000, name_of), Err(907));
        assert_eq!(names.add("h900", 1000, name_of), Ok(()));
        assert_eq!(names.len(), 901);
        names.clear();
        assert!(names.is_empty());
        assert_eq!(names.find("h7", name_of), None);
    }
}
