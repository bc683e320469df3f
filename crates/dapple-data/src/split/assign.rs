//! Dividing groups of samples so that every part gets its share of samples and of the images of every class.

use crate::random::Random;

/// Samples that stay together, and in how many of them each class occurs.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub samples: Vec<usize>,
    /// For every class the samples it occurs in; empty where classes do not matter.
    pub class_images: Vec<f64>,
}

/// The part of every group: as many samples for each part as its share says, and of the images of every class too, as far
/// as groups allow.
///
/// Iterative stratification: the rarest class that is left is dealt out first, each group to the part that lacks this
/// class most, ties to the one that lacks samples most (Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
/// Multi-Label Data", ECML PKDD 2011). Large groups go before small ones. Every part gets a group if there are enough.
pub(super) fn assign(groups: &[Group], shares: &[f64], random: &mut Random) -> Vec<usize> {
    let classes = groups.first().map_or(0, |group| group.class_images.len());
    let total = |class: usize| groups.iter().map(|group| group.class_images[class]).sum::<f64>();
    let samples: f64 = groups.iter().map(|group| group.samples.len() as f64).sum();
    let mut lacking = Lacking {
        samples: shares.iter().map(|share| share * samples).collect(),
        classes: (0..classes)
            .map(|class| shares.iter().map(|share| share * total(class)).collect())
            .collect(),
    };

    let mut order: Vec<usize> = (0..groups.len()).collect();
    random.shuffle(&mut order);
    order.sort_by_key(|&group| std::cmp::Reverse(groups[group].samples.len()));
    let mut parts: Vec<Option<usize>> = vec![None; groups.len()];
    loop {
        let left = |class: &usize| {
            let images = order.iter().filter(|&&group| parts[group].is_none());
            images.map(|&group| groups[group].class_images[*class]).sum::<f64>()
        };
        let rarest = (0..classes).map(|class| (left(&class), class)).filter(|(n, _)| *n > 0.0);
        let Some((_, class)) = rarest.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
        for &group in &order {
            if parts[group].is_none() && groups[group].class_images[class] > 0.0 {
                parts[group] = Some(lacking.take(&groups[group], Some(class)));
            }
        }
    }
    let mut parts: Vec<usize> = {
        for &group in &order {
            if parts[group].is_none() {
                parts[group] = Some(lacking.take(&groups[group], None));
            }
        }
        parts.into_iter().flatten().collect()
    };
    fill_empty(groups, shares.len(), &mut parts);
    parts
}

/// The images that each part still lacks.
struct Lacking {
    samples: Vec<f64>,
    /// `[class][part]`.
    classes: Vec<Vec<f64>>,
}

impl Lacking {
    /// Gives a group to the part that lacks it most.
    fn take(&mut self, group: &Group, class: Option<usize>) -> usize {
        let need = |part: usize| (class.map_or(0.0, |class| self.classes[class][part]), self.samples[part]);
        let more = |a: usize, b: usize| {
            let ((ca, sa), (cb, sb)) = (need(a), need(b));
            ca.total_cmp(&cb).then(sa.total_cmp(&sb)).is_gt()
        };
        let part = (1..self.samples.len()).fold(0, |best, part| if more(part, best) { part } else { best });
        self.samples[part] -= group.samples.len() as f64;
        for (lacking, images) in self.classes.iter_mut().zip(&group.class_images) {
            lacking[part] -= images;
        }
        part
    }
}

/// Gives every part without a group the smallest one of the part that has most.
fn fill_empty(groups: &[Group], count: usize, parts: &mut [usize]) {
    for empty in 0..count {
        let groups_of = |part: usize| parts.iter().filter(|&&p| p == part).count();
        if groups_of(empty) > 0 {
            continue;
        }
        let Some(richest) =
            (0..count).max_by_key(|&part| groups_of(part)).filter(|&part| groups_of(part) > 1)
        else {
            return;
        };
        let of_richest = (0..groups.len()).filter(|&group| parts[group] == richest);
        if let Some(group) = of_richest.min_by_key(|&group| groups[group].samples.len()) {
            parts[group] = empty;
        }
    }
}
