//! Losses as the command line takes them: `ce+dice`, `focal+lovasz`, `ce+0.01*boundary`.

use dapple::graph::{LossKind, LossTerm};

/// The addends of a loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms(pub Vec<LossTerm>);

/// Names and kinds, with what a term counts unless told otherwise.
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

/// Reads the sum of terms.
pub fn terms(text: &str) -> Result<Terms, String> {
    text.split('+').map(term).collect::<Result<_, _>>().map(Terms)
}

fn term(text: &str) -> Result<LossTerm, String> {
    let (factor, name) = match text.split_once('*') {
        Some((factor, name)) => (Some(factor.trim()), name.trim()),
        None => (None, text.trim()),
    };
    let known = KINDS.iter().find(|(known, ..)| *known == name);
    let Some(&(_, kind, usual)) = known else {
        let near = dapple_base::nearest(name, KINDS.iter().map(|(known, ..)| *known));
        let hint = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        return Err(format!(
            "there is no loss `{name}`{hint}; give ce, bce, dice, focal, tversky, lovasz, boundary, ohem, or a sum such \
             as ce+dice or ce+0.01*boundary"
        ));
    };
    let weight = match factor {
        None => usual,
        Some(factor) => factor.parse().ok().filter(|weight: &f32| weight.is_finite()).ok_or_else(|| {
            format!("`{factor}` is no factor of a loss; give a number, 0.5*dice for instance")
        })?,
    };
    Ok(LossTerm::new(kind, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_factors() {
        let found = terms("ce + 0.5*dice+boundary").expect("all are known").0;
        let wanted = [(LossKind::CrossEntropy, 1.0), (LossKind::Dice, 0.5), (LossKind::Boundary, 0.01)];
        assert_eq!(found, wanted.map(|(kind, weight)| LossTerm::new(kind, weight)));
        assert!(terms("ce+lovas").expect_err("misspelt").contains("did you mean `lovasz`"));
        assert!(terms("x*dice").expect_err("no number").contains("factor"));
        assert!(terms("").is_err());
    }
}
