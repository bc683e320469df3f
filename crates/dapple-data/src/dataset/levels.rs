//! The values around which those of lossy masks lie.

use std::collections::BTreeMap;

/// Levels nearer to each other than this cannot be told apart after compression.
const LEAST_GAP: u16 = 8;

/// How far the value of an ignored label may be from its level.
const IGNORED_GAP: u16 = 16;

/// The level of each of `classes`, in order, and that of the ignored label where it has one; `None` where the values do
/// not lie around so many.
///
/// Classes drawn by their own numbers lie too near to each other: then the levels are these numbers, if hardly any value
/// is above them.
pub(super) fn levels(
    counts: &BTreeMap<u16, u64>,
    classes: usize,
    ignore: Option<u8>,
) -> Option<(Vec<u16>, Option<u16>)> {
    let near = |level: u16| ignore.is_some_and(|label| u16::from(label).abs_diff(level) <= IGNORED_GAP);
    if ignore.is_some() {
        let mut all = spread(counts, classes + 1).unwrap_or_default();
        if let Some(at) = all.iter().position(|&level| near(level)) {
            let ignored = all.remove(at);
            return Some((all, Some(ignored)));
        }
    }
    if let Some(levels) = spread(counts, classes) {
        return Some((levels, None));
    }
    let limit = classes as u16 + LEAST_GAP;
    let is_ignored = |value: u16| near(value);
    let above: u64 = counts.range(limit..).filter(|(v, _)| !is_ignored(**v)).map(|(_, n)| n).sum();
    let all: u64 = counts.values().sum();
    (above * 1000 <= all).then(|| ((0..classes as u16).collect(), ignore.map(u16::from)))
}

/// The `k` values with the least sum of distances from all values, if they are apart.
fn spread(counts: &BTreeMap<u16, u64>, k: usize) -> Option<Vec<u16>> {
    let values: Vec<(u16, u64)> = counts.iter().map(|(&v, &n)| (v, n)).collect();
    let count = values.len();
    // JPEG and lossy WebP have 8 bits; what has more values is something else.
    if count < k || count > 256 || k == 0 {
        return None;
    }
    // `cost[i][j]`: values i to j around their median.
    let cost = |i: usize, j: usize| {
        let half = values[i..=j].iter().map(|(_, n)| n).sum::<u64>().div_ceil(2);
        let mut seen = 0;
        let median = values[i..=j].iter().find(|(_, n)| {
            seen += n;
            seen >= half
        });
        let median = median.map_or(values[i].0, |(v, _)| *v);
        let sum: u64 = values[i..=j].iter().map(|&(v, n)| n * u64::from(v.abs_diff(median))).sum();
        (sum, median)
    };
    let table: Vec<Vec<(u64, u16)>> = (0..count).map(|i| (i..count).map(|j| cost(i, j)).collect()).collect();
    // The best sum for the first j values in so many groups, and where the last group begins.
    let mut best: Vec<Vec<(u64, usize)>> = vec![vec![(u64::MAX, 0); count + 1]; k + 1];
    best[0][0] = (0, 0);
    for groups in 1..=k {
        for end in groups..=count {
            let starts = (groups - 1..end).filter(|&start| best[groups - 1][start].0 < u64::MAX);
            let sum = |start: usize| best[groups - 1][start].0 + table[start][end - 1 - start].0;
            best[groups][end] = starts.map(|start| (sum(start), start)).min().unwrap_or((u64::MAX, 0));
        }
    }
    let (mut end, mut levels) = (count, Vec::with_capacity(k));
    for groups in (1..=k).rev() {
        let start = best[groups][end].1;
        levels.push(table[start][end - 1 - start].1);
        end = start;
    }
    levels.reverse();
    levels.windows(2).all(|pair| pair[1] - pair[0] >= LEAST_GAP).then_some(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_lie_where_most_pixels_are() {
        let around = |level: u16| [(level.saturating_sub(2), 3), (level, 90), (level + 1, 5)];
        let counts: BTreeMap<u16, u64> = [0, 60, 120, 180].into_iter().flat_map(around).collect();
        assert_eq!(levels(&counts, 4, None), Some((vec![0, 60, 120, 180], None)));
        assert_eq!(levels(&counts, 3, Some(178)), Some((vec![0, 60, 120], Some(180))));
        let numbers: BTreeMap<u16, u64> = (0..=9).map(|v| (v, 100)).collect();
        assert_eq!(levels(&numbers, 8, None), Some(((0..8).collect(), None)));
        let many: BTreeMap<u16, u64> = (0..200).map(|v| (v, 10)).collect();
        assert_eq!(levels(&many, 60, None), None);
    }
}
