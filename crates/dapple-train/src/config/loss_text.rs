//! Losses as a flag has them: `ce+dice`, `focal+lovasz`, `ce+0.01*boundary`.

use dapple_base::nearest;
use dapple_graph::{LossKind, LossTerm};

use super::kind::BadValue;

/// Names and kinds with the usual weight of a term.
const KINDS: [(&str, LossKind, f32); 10] = [
    ("ce", LossKind::CrossEntropy, 1.0),
    ("cross-entropy", LossKind::CrossEntropy, 1.0),
    ("bce", LossKind::BinaryCrossEntropy, 1.0),
    ("binary-cross-entropy", LossKind::BinaryCrossEntropy, 1.0),
    ("dice", LossKind::Dice, 1.0),
    ("focal", LossKind::Focal, 1.0),
    ("tversky", LossKind::Tversky, 1.0),
    ("lovasz", LossKind::Lovasz, 1.0),
    // Kervadec et al. 2019 begin with this weight; distances in pixels are large.
    ("boundary", LossKind::Boundary, 0.01),
    ("ohem", LossKind::Ohem, 1.0),
];

/// Reads a sum of terms.
pub(super) fn loss_terms(text: &str) -> Result<Vec<LossTerm>, BadValue> {
    text.split('+').map(term).collect()
}

fn term(text: &str) -> Result<LossTerm, BadValue> {
    let (factor, name) = match text.split_once('*') {
        Some((factor, name)) => (Some(factor.trim()), name.trim()),
        None => (None, text.trim()),
    };
    let known = KINDS.iter().find(|(known, ..)| *known == name);
    let Some(&(_, kind, usual)) = known else {
        let near = nearest(name, KINDS.iter().map(|(known, ..)| *known));
        let hint = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        return Err(BadValue(format!(
            "there is no loss `{name}`{hint}; give ce, bce, dice, focal, tversky, lovasz, boundary, ohem, or a sum such \
             as ce+dice or ce+0.01*boundary"
        )));
    };
    let weight = match factor {
        None => usual,
        Some(factor) => {
            let weight = factor.parse().ok().filter(|weight: &f32| weight.is_finite() && *weight >= 0.0);
            let problem = || {
                BadValue(format!(
                    "`{factor}` is not a factor of a loss; give a number of at least 0, 0.5*dice for example"
                ))
            };
            weight.ok_or_else(problem)?
        }
    };
    Ok(LossTerm::new(kind, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_factors() {
        let found = loss_terms("ce + 0.5*dice+boundary").expect("all are known");
        let wanted = [(LossKind::CrossEntropy, 1.0), (LossKind::Dice, 0.5), (LossKind::Boundary, 0.01)];
        assert_eq!(found, wanted.map(|(kind, weight)| LossTerm::new(kind, weight)));
        let refused = |text| loss_terms(text).expect_err(text).to_string();
        assert!(refused("ce+lovas").contains("did you mean `lovasz`"));
        assert!(refused("x*dice").contains("factor"));
        assert!(refused("ce+-1*dice").contains("at least 0"));
        assert!(loss_terms("").is_err());
    }
}
