//! The prediction of one image: the mean of all models, flips and scales, at the image's size.

use dapple_model::{LogitRows, decide};

use crate::decision;

/// The prediction of one or several models for one image. It keeps logits at the networks' sizes and resizes them to the
/// image's size row by row, so that it is small whatever the image's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One per model, flip and scale; at least one, all of one image.
    pub(crate) members: Vec<dapple_model::ImageLogits>,
    pub(crate) classes: usize,
    pub(crate) threshold: Option<f32>,
}

impl Prediction {
    /// Width of the image in pixels.
    pub fn width(&self) -> usize {
        self.members[0].width()
    }

    /// Height of the image in pixels.
    pub fn height(&self) -> usize {
        self.members[0].height()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The same with another threshold, see [`crate::PredictSettings::threshold`]; `None` leaves it as it is.
    #[must_use]
    pub fn with_threshold(self, threshold: Option<f32>) -> Self {
        Self { threshold: threshold.or(self.threshold), ..self }
    }

    /// Mixes the logits with those of another prediction by the same models, which has the weight `share`, 0 to 1. A
    /// prediction of other sizes or models is ignored.
    pub fn blend(&mut self, other: &Self, share: f32) {
        if self.members.len() == other.members.len() {
            self.members.iter_mut().zip(&other.members).for_each(|(own, other)| own.blend(other, share));
        }
    }

    /// The class of every pixel, `[height, width]`.
    pub fn labels(&self) -> Vec<u8> {
        let mut labels = Vec::with_capacity(self.width() * self.height());
        let mut rows = self.rows(Wants::default());
        (0..self.height()).for_each(|y| labels.extend_from_slice(&rows.row(y).labels));
        labels
    }

    /// The probability of one class at every pixel, `[height, width]`, 0 to 1.
    ///
    /// # Panics
    /// If the class does not exist.
    pub fn probability(&self, class: usize) -> Vec<f32> {
        assert!(class < self.classes, "class {class} of {}", self.classes);
        let mut map = Vec::with_capacity(self.width() * self.height());
        let mut rows = self.rows(Wants { probabilities: true, ..Wants::default() });
        for y in 0..self.height() {
            map.extend(rows.row(y).probabilities.iter().skip(class).step_by(self.classes));
        }
        map
    }

    /// The uncertainty of every pixel, `[height, width]`: the predictive entropy, that of the mean probabilities over models,
    /// flips, scales and samples, as a share of its largest value: 0 (certain) to 1 (all classes equally probable).
    ///
    /// It covers both disagreement between members or samples and doubt that all of them share (Gal 2016, section 3.3.1).
    pub fn uncertainty(&self) -> Vec<f32> {
        let mut map = Vec::with_capacity(self.width() * self.height());
        let mut rows = self.rows(Wants { uncertainty: true, ..Wants::default() });
        (0..self.height()).for_each(|y| map.extend_from_slice(&rows.row(y).uncertainty));
        map
    }

    /// The image's rows, with the wanted values.
    pub fn rows(&self, wants: Wants) -> PredictedRows<'_> {
        let members = self.members.iter().map(|m| (m, m.rows())).collect();
        PredictedRows { prediction: self, wants, members, values: RowValues::default() }
    }
}

/// The values to compute for a row besides its labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// [`RowValues::probabilities`].
    pub probabilities: bool,
    /// [`RowValues::uncertainty`].
    pub uncertainty: bool,
}

impl Wants {
    /// The values that either wants.
    pub fn or(self, other: Self) -> Self {
        Self {
            probabilities: self.probabilities || other.probabilities,
            uncertainty: self.uncertainty || other.uncertainty,
        }
    }
}

/// The predicted values of one row of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowValues {
    /// The class of each pixel, `[width]`.
    pub labels: Vec<u8>,
    /// The probability of each class at each pixel, `[width, classes]`; empty unless wanted.
    pub probabilities: Vec<f32>,
    /// The uncertainty of each pixel, `[width]`; empty unless wanted.
    pub uncertainty: Vec<f32>,
}

impl RowValues {
    /// Labels and uncertainty from the probabilities.
    pub(crate) fn conclude(&mut self, classes: usize, threshold: Option<f32>, wants: Wants) {
        self.labels.clear();
        decision::decide(&self.probabilities, classes, threshold, &mut self.labels);
        self.uncertainty.clear();
        if wants.uncertainty {
            decision::uncertainty(&self.probabilities, classes, &mut self.uncertainty);
        }
    }
}

/// The prediction of an image, row by row.
#[derive(Debug)]
pub struct PredictedRows<'a> {
    prediction: &'a Prediction,
    wants: Wants,
    members: Vec<(&'a dapple_model::ImageLogits, LogitRows<'a>)>,
    values: RowValues,
}

impl PredictedRows<'_> {
    /// Row `y`.
    ///
    /// # Panics
    /// If the image has no such row.
    pub fn row(&mut self, y: usize) -> &RowValues {
        let &Prediction { classes, threshold, .. } = self.prediction;
        let values = &mut self.values;
        if let ([(_, rows)], None, Wants { probabilities: false, uncertainty: false }) =
            (&mut self.members[..], threshold, self.wants)
        {
            values.labels = decide::labels(rows.row(y));
            return values;
        }
        let share = 1.0 / self.members.len() as f32;
        let mut only_logits = None;
        for (index, (member, rows)) in self.members.iter_mut().enumerate() {
            let logits = rows.row(y);
            let probabilities = decide::probabilities(logits, member.activation());
            if index == 0 {
                values.probabilities = probabilities;
                only_logits = Some(decide::labels(logits));
            } else {
                values.probabilities.iter_mut().zip(&probabilities).for_each(|(sum, p)| *sum += p);
            }
        }
        let alone = self.members.len() == 1;
        if !alone {
            values.probabilities.iter_mut().for_each(|p| *p *= share);
        }
        values.conclude(classes, threshold, self.wants);
        // A single model's logits decide, as in the case without probabilities, to the last bit.
        if let (true, None, Some(labels)) = (alone, threshold, only_logits) {
            values.labels = labels;
        }
        values
    }
}
