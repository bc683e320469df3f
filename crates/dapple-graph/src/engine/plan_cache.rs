//! Plans of a network by input shape.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Plans that are kept. Trainings and batches see a few shapes; a server with images of all sizes would otherwise keep one
/// for each.
const LIMIT: usize = 32;

/// Plans by key, at most 32 of them: one more empties the cache first.
pub struct PlanCache<K, P> {
    plans: HashMap<K, Arc<P>>,
}

impl<K: Eq + Hash, P> PlanCache<K, P> {
    /// An empty cache.
    pub fn new() -> Self {
        Self { plans: HashMap::new() }
    }

    /// A plan that is kept.
    pub fn get(&self, key: &K) -> Option<Arc<P>> {
        self.plans.get(key).cloned()
    }

    /// Keeps a plan.
    pub fn insert(&mut self, key: K, plan: P) -> Arc<P> {
        if self.plans.len() >= LIMIT && !self.plans.contains_key(&key) {
            self.plans.clear();
        }
        let plan = Arc::new(plan);
        self.plans.insert(key, plan.clone());
        plan
    }
}

impl<K: Eq + Hash, P> Default for PlanCache<K, P> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_begins_again() {
        let mut cache = PlanCache::new();
        for key in 0..LIMIT {
            assert_eq!(*cache.insert(key, 2 * key), 2 * key);
        }
        assert_eq!(cache.get(&0).as_deref(), Some(&0));
        cache.insert(3, 7);
        assert_eq!((cache.get(&3).as_deref(), cache.get(&4).as_deref()), (Some(&7), Some(&8)));
        cache.insert(LIMIT, 1);
        assert_eq!((cache.get(&0), cache.get(&LIMIT).as_deref()), (None, Some(&1)));
    }
}
