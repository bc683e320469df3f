//! The part of a state dict that holds the network: the common prefix of its parameters' names.
//!
//! Training scripts wrap networks (`module.`, `student.`, `net_state_dict.`) and keep other tensors beside them, such as an
//! average or the optimizer's state. Nothing is presumed of the prefixes' names: the one that fits is taken.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Parts of names that wrappers add anywhere: of `torch.compile`, sharding and recomputation.
const WRAPPERS: [&str; 3] = ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."];

/// The most prefixes that are tried, those with the most tensors.
const MOST: usize = 64;

/// A name without the parts that wrappers add.
pub(super) fn unwrapped(name: &str) -> Cow<'_, str> {
    WRAPPERS.iter().fold(name.into(), |name, wrapper| match name.contains(wrapper) {
        true => name.replace(wrapper, "").into(),
        false => name,
    })
}

/// The most parts of a prefix. Names in safetensors files may be as long as the file.
const MOST_PARTS: usize = 32;

/// The prefixes to try, with their dots: the empty one, then those with the most names, in the order of the file.
pub(super) fn candidates<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for (place, name) in names.enumerate() {
        for (dot, _) in name.match_indices('.').take(MOST_PARTS) {
            counts.entry(&name[..=dot]).or_insert((0, place)).0 += 1;
        }
    }
    let mut counted: Vec<_> = counts.into_iter().collect();
    counted.sort_by_key(|&(prefix, (count, place))| (Reverse(count), place, prefix.len()));
    let most = counted.into_iter().take(MOST).map(|(prefix, _)| prefix);
    [""].into_iter().chain(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_tried_from_the_most_frequent_on() {
        let names = ["epoch", "ema.a.x", "net.a.x", "net.a.y", "ema.a.y", "opt.z"];
        assert_eq!(candidates(names.into_iter()), ["", "ema.", "ema.a.", "net.", "net.a.", "opt."]);
        assert_eq!(unwrapped("a._orig_mod.b._orig_mod.c"), "a.b.c");
        assert_eq!(unwrapped("a.b"), "a.b");
    }
}
