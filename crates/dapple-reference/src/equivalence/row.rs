//! Results of a comparison, a row a family.

use std::fmt::Write;

/// The largest differences among all cases of a family, as shares of the largest value.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the family.
    pub family: String,
    /// Kinds of values with their largest difference and the case that has it.
    pub differences: Vec<(&'static str, f64, String)>,
    /// Cases that were compared.
    pub compared: usize,
    /// Cases whose values lie so near a kink (a ReLU's, a pooling's) that rounding decides, which were left out.
    pub left_out: usize,
}

impl Row {
    /// Nothing compared yet.
    pub fn new(family: &str) -> Self {
        Self { family: family.to_owned(), differences: Vec::new(), compared: 0, left_out: 0 }
    }

    /// Takes note of a difference in a case. NaN is the largest.
    pub fn note(&mut self, kind: &'static str, difference: f64, case: &str) {
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        match self.differences.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, largest, worst)) if difference > *largest => {
                (*largest, *worst) = (difference, case.to_owned())
            }
            Some(_) => {}
            None => self.differences.push((kind, difference, case.to_owned())),
        }
    }

    /// The largest difference of a kind; 0 where none was noted.
    pub fn largest(&self, kind: &str) -> f64 {
        self.differences.iter().find(|(known, ..)| *known == kind).map_or(0.0, |(_, largest, _)| *largest)
    }

    /// Joins the cases of another row.
    pub fn merge(&mut self, other: &Row) {
        for (kind, difference, case) in &other.differences {
            self.note(kind, *difference, case);
        }
        self.compared += other.compared;
        self.left_out += other.left_out;
    }

    /// Of each kind the smaller difference of this and another row for the same: what rounding decides in one draw of images it
    /// seldom decides in another, where what is wrong is wrong in all.
    pub fn best(&mut self, other: &Row) {
        for (kind, difference, case) in &mut self.differences {
            if let Some((_, by, with)) =
                other.differences.iter().find(|(k, by, _)| k == kind && by < difference)
            {
                (*difference, *case) = (*by, with.clone());
            }
        }
    }

    /// The kinds that differ by more than `limit`, with the case; or that nothing was compared.
    pub fn faults(&self, limit: f64) -> Vec<String> {
        if self.compared == 0 {
            return vec![format!("{}: nothing could be compared", self.family)];
        }
        let above = self.differences.iter().filter(|(_, difference, _)| *difference > limit);
        above.map(|(kind, by, case)| format!("{}: {kind} differ by {by:.2e}: {case}", self.family)).collect()
    }

    /// Panics where something differs by more than `limit`, or where nothing was compared.
    ///
    /// # Panics
    /// With what [`Row::faults`] says.
    pub fn check(&self, limit: f64) {
        let faults = self.faults(limit);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

/// Rows as a Markdown table. `kinds` are the columns.
pub fn markdown(rows: &[Row], kinds: &[&str]) -> String {
    let mut text =
        format!("| what | cases | {} |\n|---|---|{}\n", kinds.join(" | "), "---|".repeat(kinds.len()));
    for row in rows {
        let cell = |kind: &&str| match row.differences.iter().find(|(known, ..)| known == kind) {
            Some((_, difference, _)) => format!("{difference:.1e}"),
            None => String::new(),
        };
        let cells: Vec<String> = kinds.iter().map(cell).collect();
        writeln!(text, "| {} | {} | {} |", row.family, row.compared, cells.join(" | "))
            .expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_stands() {
        let mut row = Row::new("conv");
        row.note("outputs", 1e-6, "a");
        row.note("outputs", 3e-6, "b");
        row.note("gradients", 2e-6, "c");
        row.compared = 2;
        let mut other = Row::new("conv");
        other.note("outputs", 4e-6, "d");
        other.compared = 1;
        row.merge(&other);
        assert_eq!((row.largest("outputs"), row.largest("losses"), row.compared), (4e-6, 0.0, 3));
        row.check(1e-5);
        let text = markdown(&[row.clone()], &["outputs", "losses"]);
        assert!(text.ends_with("| conv | 3 | 4.0e-6 |  |\n"), "{text}");
        let mut second = Row::new("conv");
        second.note("outputs", 1e-6, "again");
        second.note("gradients", 9e-6, "again");
        let mut best = row.clone();
        best.best(&second);
        assert_eq!((best.largest("outputs"), best.largest("gradients"), best.compared), (1e-6, 2e-6, 3));
        row.note("gradients", f64::NAN, "e");
        let caught = std::panic::catch_unwind(|| row.check(1.0)).expect_err("no number is within no limit");
        assert!(caught.downcast_ref::<String>().is_some_and(|message| message.contains(": e")));
    }
}
