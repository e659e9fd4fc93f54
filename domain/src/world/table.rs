//! Rows of one kind that a batch has in memory: what was loaded, what the current command staged, what changed.
//!
//! It must never let a staged change survive a refusal: only `keep` makes it part of the batch.

use std::collections::BTreeMap;

/// Loaded rows by key, with the current command's changes kept apart until it is accepted.
#[derive(Debug)]
pub struct Table<K, V> {
    kept: BTreeMap<K, V>,
    /// Rows that the batch changed, made or took out, as they were loaded.
    changed: BTreeMap<K, Option<V>>,
    staged: BTreeMap<K, Option<V>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), changed: BTreeMap::new(), staged: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> Table<K, V> {
    /// Takes in a row as the database has it.
    pub fn load(&mut self, key: K, row: V) {
        self.kept.insert(key, row);
    }

    /// The row as the current command sees it.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        match self.staged.get(key) {
            Some(staged) => staged.as_ref(),
            None => self.kept.get(key),
        }
    }

    /// The row, to be changed by the current command.
    pub fn edit(&mut self, key: &K) -> Option<&mut V> {
        if !self.staged.contains_key(key) {
            let row = self.kept.get(key)?.clone();
            self.staged.insert(key.clone(), Some(row));
        }
        self.staged.get_mut(key)?.as_mut()
    }

    /// Puts a row in, new or instead of the one that is there.
    pub fn put(&mut self, key: K, row: V) {
        self.staged.insert(key, Some(row));
    }

    /// Takes a row out.
    pub fn remove(&mut self, key: &K) {
        self.staged.insert(key.clone(), None);
    }

    /// Every row as the current command sees it, by key.
    pub fn rows(&self) -> impl Iterator<Item = (&K, &V)> {
        let untouched = self.kept.iter().filter(|(key, _)| !self.staged.contains_key(key));
        untouched.chain(self.staged.iter().filter_map(|(key, row)| Some((key, row.as_ref()?))))
    }

    /// Makes what the current command staged part of the batch. A row that is as it was is no change.
    pub fn keep(&mut self) {
        for (key, row) in std::mem::take(&mut self.staged) {
            if self.kept.get(&key) == row.as_ref() {
                continue;
            }
            let before = match row {
                Some(row) => self.kept.insert(key.clone(), row),
                None => self.kept.remove(&key),
            };
            self.changed.entry(key).or_insert(before);
        }
    }

    /// Forgets what the current command staged.
    pub fn undo(&mut self) {
        self.staged.clear();
    }

    /// Rows that the batch changed or made: the changed ones first, so that a unique value that one of them gives up
    /// is free when another takes it.
    pub fn changes(&self) -> impl Iterator<Item = &V> {
        self.updated().map(|(_, row)| row).chain(self.made())
    }

    /// Rows that were loaded and that the batch changed: as they were, and as they are now.
    pub fn updated(&self) -> impl Iterator<Item = (&V, &V)> {
        self.changed.iter().filter_map(|(key, before)| Some((before.as_ref()?, self.kept.get(key)?)))
    }

    /// Rows that were not there before.
    pub fn made(&self) -> impl Iterator<Item = &V> {
        self.changed.iter().filter(|(_, before)| before.is_none()).filter_map(|(key, _)| self.kept.get(key))
    }

    /// Keys of rows that were loaded and that the batch took out.
    pub fn removed(&self) -> impl Iterator<Item = &K> {
        let is_gone = |(key, before): &(&K, &Option<V>)| before.is_some() && !self.kept.contains_key(*key);
        self.changed.iter().filter(is_gone).map(|(key, _)| key)
    }

    /// Whether the batch changed, made or took out a row.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Keys of rows that were loaded and that the batch changed.
    pub fn changed_keys(&self) -> impl Iterator<Item = &K> {
        self.changed.iter().filter(|(_, before)| before.is_some()).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kept_changes_are_changes() {
        let mut table = Table::default();
        table.load(1, "one");
        table.load(2, "two");
        if let Some(row) = table.edit(&1) {
            *row = "uno";
        }
        table.put(3, "three");
        table.remove(&2);
        assert_eq!((table.get(&1), table.get(&2), table.get(&3)), (Some(&"uno"), None, Some(&"three")));
        assert_eq!(table.rows().count(), 2);
        table.undo();
        assert_eq!((table.get(&1), table.get(&2), table.get(&3)), (Some(&"one"), Some(&"two"), None));
        assert!(!table.has_changes());

        table.put(0, "new");
        table.keep();
        if let Some(row) = table.edit(&1) {
            *row = "uno";
        }
        table.remove(&2);
        table.keep();
        assert_eq!(table.changes().collect::<Vec<_>>(), [&"uno", &"new"]);
        assert_eq!(table.changed_keys().collect::<Vec<_>>(), [&1, &2]);
        assert_eq!(table.removed().collect::<Vec<_>>(), [&2]);

        // What counts is how it was loaded, however often it changes.
        table.put(1, "eins");
        table.put(0, "newer");
        table.keep();
        assert_eq!(table.updated().collect::<Vec<_>>(), [(&"one", &"eins")]);
        assert_eq!(table.made().collect::<Vec<_>>(), [&"newer"]);
    }
}
