//! Scores a data set image by image.

use serde::{Deserialize, Serialize};

use crate::bitplane::Grid;
use crate::boundary_f1::{self, BF_TOLERANCE};
use crate::boundary_iou::{BOUNDARY_RATIO, boundary_distance, overlaps_of_checked};
use crate::confusion::ConfusionMatrix;
use crate::error::MetricsError;
use crate::overlap::{Overlap, mean_defined};
use crate::scores::{
    ClassScores, DatasetScores, ImageScores, PerImageScores, Policy, Scores, min_iou_boundary_iou,
};

/// The measurements, and how they are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Names of the classes, in label order: 1 to 256 of them.
    pub class_names: Vec<String>,
    /// Label of the pixels that do not count.
    pub ignore: Option<u8>,
    /// Width of the boundary region as a fraction of the image diagonal, at least 0.
    pub boundary_ratio: f64,
}

impl Protocol {
    /// The given classes, and the Boundary IoU paper's boundary width ([`BOUNDARY_RATIO`]).
    pub fn new(class_names: impl IntoIterator<Item = impl Into<String>>, ignore: Option<u8>) -> Self {
        let class_names = class_names.into_iter().map(Into::into).collect();
        Protocol { class_names, ignore, boundary_ratio: BOUNDARY_RATIO }
    }

    /// The choices that change the numbers, in words, to be shown beside them.
    pub fn policies(&self) -> Vec<Policy> {
        let ignored = match self.ignore {
            Some(label) => format!("pixels whose truth is {label} do not count"),
            None => "every pixel counts".to_owned(),
        };
        [
            ("ignore", ignored.as_str()),
            ("absent classes", "a class in neither prediction nor truth is skipped, never scored 0 or 1"),
            ("empty masks", "a class in only one of prediction and truth has IoU, Boundary IoU and Dice 0"),
            ("dataset", "counts are summed over all images, then scored, then averaged over the classes"),
            ("per_image", "each image is scored alone over the classes it has, then averaged over the images"),
            (
                "boundary",
                &format!(
                    "the boundary region is max(1, round({} * image diagonal)) pixels wide; halves round to even; \
                     the outside of the image is not the class",
                    self.boundary_ratio
                ),
            ),
            (
                "bf",
                &format!(
                    "contours one pixel wide match within {BF_TOLERANCE} * image diagonal; mean over the classes \
                     labelled in an image, then over the images"
                ),
            ),
        ]
        .map(|(name, text)| Policy { name: name.to_owned(), text: text.to_owned() })
        .to_vec()
    }
}

/// Collects the scores of a data set, image by image.
///
/// Parts of a data set can be scored at the same time by evaluators of their own. Merged in the order of the images
/// they give the same scores to the last bit, because counts are integers and means are taken at the end, in order.
///
/// ```
/// use dapple_metrics::{Evaluator, Protocol};
/// let mut evaluator = Evaluator::new(Protocol::new(["background", "horse"], None))?;
/// evaluator.add("a.png", &[0, 1, 1, 1], &[0, 0, 1, 1], 2, 2)?; // IoU of the horse 2/3
/// evaluator.add("b.png", &[0, 0, 0, 1], &[0, 0, 0, 1], 2, 2)?; // and 1
/// let scores = evaluator.finish();
/// assert_eq!(scores.classes[1].iou, Some(3.0 / 4.0)); // counts summed over the images
/// assert_eq!(scores.per_image.foreground_iou, Some(Some((2.0 / 3.0 + 1.0) / 2.0)));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluator {
    protocol: Protocol,
    confusion: ConfusionMatrix,
    boundary: Vec<Overlap>,
    images: Vec<ImageScores>,
}

/// All that an evaluator has collected, to be stored and joined with that of other parts of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluatorState {
    /// The confusion matrix of all images.
    pub confusion: ConfusionMatrix,
    /// The counts of the classes' boundary regions over all images, in label order.
    pub boundary: Vec<Overlap>,
    /// The images, in order.
    pub images: Vec<ImageScores>,
}

impl Evaluator {
    /// An evaluator without images.
    ///
    /// # Errors
    /// [`MetricsError::ClassCount`] unless there are 1 to 256 classes, [`MetricsError::Setting`] for a boundary ratio
    /// that is negative or not finite.
    pub fn new(protocol: Protocol) -> Result<Self, MetricsError> {
        let ratio = protocol.boundary_ratio;
        if !(ratio.is_finite() && ratio >= 0.0) {
            return Err(MetricsError::Setting {
                name: "boundary ratio",
                value: ratio,
                expected: "a fraction of the image diagonal, 0 or more (0.02 is usual)",
            });
        }
        let classes = protocol.class_names.len();
        let confusion = ConfusionMatrix::new(classes, protocol.ignore)?;
        Ok(Evaluator { protocol, confusion, boundary: vec![Overlap::default(); classes], images: Vec::new() })
    }

    /// Scores one image: two row-major label maps of `height * width` pixels.
    ///
    /// # Errors
    /// [`MetricsError::Image`] with the image's name, for what [`ConfusionMatrix::add`] refuses; the evaluator is
    /// then unchanged.
    pub fn add(
        &mut self,
        name: &str,
        prediction: &[u8],
        truth: &[u8],
        height: usize,
        width: usize,
    ) -> Result<&ImageScores, MetricsError> {
        let (classes, ignore) = (self.confusion.classes(), self.confusion.ignore());
        let mut confusion = ConfusionMatrix::new(classes, ignore)?;
        confusion
            .add(prediction, truth, height, width)
            .map_err(|source| MetricsError::Image { image: name.to_owned(), source: Box::new(source) })?;
        self.confusion.merge(&confusion)?;

        let distance = boundary_distance(height, width, self.protocol.boundary_ratio);
        let grid = Grid { height, width };
        let boundary = overlaps_of_checked(prediction, truth, grid, classes, ignore, distance);
        for (sum, overlap) in self.boundary.iter_mut().zip(&boundary) {
            sum.merge(*overlap);
        }
        let bf = boundary_f1::scores_of_checked(prediction, truth, height, width, classes, ignore);
        let at = self.images.len();
        let region = confusion.overlaps();
        self.images.push(ImageScores::from_overlaps(name, (height, width), &region, &boundary, &bf));
        Ok(&self.images[at])
    }

    /// Appends the images of another evaluator of the same protocol.
    ///
    /// # Errors
    /// [`MetricsError::Mismatch`] if the protocols differ.
    pub fn merge(&mut self, other: Evaluator) -> Result<(), MetricsError> {
        if self.protocol != other.protocol {
            return Err(MetricsError::Mismatch(format!("{:?} and {:?}", self.protocol, other.protocol)));
        }
        self.add_state(other.into_state())
    }

    /// Appends all that an evaluator of the same protocol has collected in another process.
    ///
    /// # Errors
    /// [`MetricsError::Mismatch`] if it has other classes or another ignore label.
    pub fn add_state(&mut self, other: EvaluatorState) -> Result<(), MetricsError> {
        self.confusion.merge(&other.confusion)?;
        for (sum, overlap) in self.boundary.iter_mut().zip(other.boundary) {
            sum.merge(overlap);
        }
        self.images.extend(other.images);
        Ok(())
    }

    /// All that it has collected.
    pub fn into_state(self) -> EvaluatorState {
        EvaluatorState { confusion: self.confusion, boundary: self.boundary, images: self.images }
    }

    /// The evaluator that has collected this.
    ///
    /// # Errors
    /// Those of [`Evaluator::new`], and [`MetricsError::Mismatch`] for counts of other classes, or whose sums are not those of
    /// their images.
    pub fn of_state(protocol: Protocol, state: EvaluatorState) -> Result<Self, MetricsError> {
        let empty = Evaluator::new(protocol)?;
        let EvaluatorState { confusion, boundary, images } = state;
        let classes = empty.confusion.classes();
        let mismatch = |what: &str| Err(MetricsError::Mismatch(format!("{what} of {classes} classes")));
        if (confusion.classes(), confusion.ignore()) != (classes, empty.confusion.ignore())
            || boundary.len() != classes
        {
            return mismatch("the counts are not those");
        }
        let mut sums = vec![Overlap::default(); classes];
        for class in images.iter().flat_map(|image| &image.classes) {
            match sums.get_mut(usize::from(class.class)) {
                Some(sum) => sum.merge(class.region),
                None => return mismatch("an image has more than the counts"),
            }
        }
        if sums != confusion.overlaps() {
            return mismatch("the sums are not those of the images");
        }
        Ok(Evaluator { protocol: empty.protocol, confusion, boundary, images })
    }

    /// The protocol.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// The confusion matrix of all images so far.
    pub fn confusion(&self) -> &ConfusionMatrix {
        &self.confusion
    }

    /// The images so far, in order.
    pub fn images(&self) -> &[ImageScores] {
        &self.images
    }

    /// The scores of all images, without [`Scores::images_detail`].
    pub fn finish(&self) -> Scores {
        let region = self.confusion.overlaps();
        let classes = self
            .protocol
            .class_names
            .iter()
            .zip(region.iter().zip(&self.boundary))
            .map(|(name, (region, boundary))| ClassScores {
                name: name.clone(),
                iou: region.iou(),
                boundary_iou: boundary.iou(),
                accuracy: region.accuracy(),
                dice: region.dice(),
                precision: region.precision(),
                min_iou_boundary_iou: min_iou_boundary_iou(region, boundary),
                labelled_pixels: region.labelled,
            })
            .collect();
        Scores {
            images: self.images.len(),
            classes,
            dataset: DatasetScores::from_overlaps(&region, &self.boundary),
            per_image: self.per_image(),
            policies: self.protocol.policies(),
            images_detail: None,
        }
    }

    /// The scores of all images, with those of each image.
    pub fn finish_with_images(&self) -> Scores {
        Scores { images_detail: Some(self.images.clone()), ..self.finish() }
    }

    fn per_image(&self) -> PerImageScores {
        let mean = |score: &dyn Fn(&ImageScores) -> Option<f64>| mean_defined(self.images.iter().map(score));
        let two_classes = self.protocol.class_names.len() == 2;
        PerImageScores {
            foreground_iou: two_classes.then(|| mean(&|image| image.iou(1))),
            miou: mean(&|image| image.miou),
            boundary_miou: mean(&|image| image.boundary_miou),
            foreground_boundary_iou: two_classes.then(|| mean(&|image| image.boundary_iou(1))),
            pixel_accuracy: mean(&|image| image.pixel_accuracy),
            mean_accuracy: mean(&|image| image.mean_accuracy),
            dice: mean(&|image| image.dice),
            min_iou_boundary_iou: mean(&|image| image.min_iou_boundary_iou),
            bf: mean(&|image| image.bf),
        }
    }
}
