//! The scores of a data set as they are written to JSON.
//!
//! Undefined values (a class that occurs nowhere) are `None`, in JSON `null`. Values under `dataset` and `classes`
//! come from counts summed over all images; values under `per_image` are means of what each image scored alone.

use serde::{Deserialize, Deserializer, Serialize};

use crate::overlap::{self, Overlap};

/// Everything measured on a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Number of images.
    pub images: usize,
    /// One entry a class, in label order.
    pub classes: Vec<ClassScores>,
    /// Means over the classes, of counts summed over the data set.
    pub dataset: DatasetScores,
    /// Means over the images, of each image's scores.
    pub per_image: PerImageScores,
    /// The treatment of absent classes, empty masks and ignored pixels.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// The scores and counts of each image, which paired comparisons and intervals need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_detail: Option<Vec<ImageScores>>,
}

/// Scores of one class, from counts summed over the data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// The class's name.
    pub name: String,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// IoU of the boundary regions.
    pub boundary_iou: Option<f64>,
    /// Class accuracy (recall).
    pub accuracy: Option<f64>,
    /// Dice coefficient (F1).
    pub dice: Option<f64>,
    /// Precision.
    pub precision: Option<f64>,
    /// The smaller of IoU and Boundary IoU.
    pub min_iou_boundary_iou: Option<f64>,
    /// Pixels labelled as the class.
    pub labelled_pixels: u64,
}

/// Scores of a data set, from counts summed over its images; means are over the classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetScores {
    /// Mean IoU.
    pub miou: Option<f64>,
    /// Mean Boundary IoU.
    pub boundary_miou: Option<f64>,
    /// Pixel (global) accuracy.
    pub pixel_accuracy: Option<f64>,
    /// Mean class accuracy.
    pub mean_accuracy: Option<f64>,
    /// Mean Dice coefficient.
    pub dice: Option<f64>,
    /// Mean precision.
    pub precision: Option<f64>,
    /// Mean of the smaller of IoU and Boundary IoU.
    pub min_iou_boundary_iou: Option<f64>,
    /// IoU weighted by the labelled pixels of the class.
    pub frequency_weighted_iou: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
}

impl DatasetScores {
    /// From the counts of each class's pixels and boundary regions, both in label order.
    pub fn from_overlaps(region: &[Overlap], boundary: &[Overlap]) -> Self {
        DatasetScores {
            miou: overlap::mean_iou(region),
            boundary_miou: overlap::mean_iou(boundary),
            pixel_accuracy: overlap::pixel_accuracy(region),
            mean_accuracy: overlap::mean_accuracy(region),
            dice: overlap::mean_dice(region),
            precision: overlap::mean_precision(region),
            min_iou_boundary_iou: overlap::mean_defined(
                region.iter().zip(boundary).map(|(region, boundary)| min_iou_boundary_iou(region, boundary)),
            ),
            frequency_weighted_iou: overlap::frequency_weighted_iou(region),
            kappa: overlap::cohen_kappa(region),
        }
    }
}

/// Means over the images of each image's scores, images where a score is undefined being skipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PerImageScores {
    /// IoU of class 1. Only with two classes; `Some(None)` if no image has any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub foreground_iou: Option<Option<f64>>,
    /// Mean IoU.
    pub miou: Option<f64>,
    /// Mean Boundary IoU.
    pub boundary_miou: Option<f64>,
    /// Boundary IoU of class 1. Only with two classes; `Some(None)` if no image has any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub foreground_boundary_iou: Option<Option<f64>>,
    /// Pixel accuracy.
    pub pixel_accuracy: Option<f64>,
    /// Mean class accuracy.
    pub mean_accuracy: Option<f64>,
    /// Mean Dice coefficient.
    pub dice: Option<f64>,
    /// Mean of the smaller of IoU and Boundary IoU.
    pub min_iou_boundary_iou: Option<f64>,
    /// Boundary F1, each image's being the mean over the classes labelled in it.
    #[serde(default)]
    pub bf: Option<f64>,
}

/// Reads a key that is there, so that `null` is told from a missing key.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// One image's scores, and the counts that they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageScores {
    /// The image's name.
    pub name: String,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Mean IoU over the classes of this image.
    pub miou: Option<f64>,
    /// Mean Boundary IoU over the classes of this image.
    pub boundary_miou: Option<f64>,
    /// Pixel accuracy.
    pub pixel_accuracy: Option<f64>,
    /// Mean class accuracy.
    pub mean_accuracy: Option<f64>,
    /// Mean Dice coefficient.
    pub dice: Option<f64>,
    /// Mean of the smaller of IoU and Boundary IoU.
    pub min_iou_boundary_iou: Option<f64>,
    /// Boundary F1, mean over the classes labelled in this image.
    #[serde(default)]
    pub bf: Option<f64>,
    /// The classes predicted or labelled in this image, in label order; the others are absent.
    pub classes: Vec<ImageClass>,
}

/// Counts of one class in one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageClass {
    /// The class's label.
    pub class: u8,
    /// Counts of its pixels.
    pub region: Overlap,
    /// Counts of its boundary region.
    pub boundary: Overlap,
    /// Its boundary F1; undefined if it is not labelled in this image.
    #[serde(default)]
    pub bf: Option<f64>,
}

impl ImageScores {
    /// From the counts and the boundary F1 of every class in one image, in label order.
    pub(crate) fn from_overlaps(
        name: &str,
        (height, width): (usize, usize),
        region: &[Overlap],
        boundary: &[Overlap],
        bf: &[Option<f64>],
    ) -> Self {
        let scores = DatasetScores::from_overlaps(region, boundary);
        let classes = (0..=u8::MAX)
            .zip(region.iter().zip(boundary).zip(bf))
            .filter(|(_, ((region, _), _))| !region.is_empty())
            .map(|(class, ((&region, &boundary), &bf))| ImageClass { class, region, boundary, bf })
            .collect();
        ImageScores {
            name: name.to_owned(),
            height,
            width,
            miou: scores.miou,
            boundary_miou: scores.boundary_miou,
            pixel_accuracy: scores.pixel_accuracy,
            mean_accuracy: scores.mean_accuracy,
            dice: scores.dice,
            min_iou_boundary_iou: scores.min_iou_boundary_iou,
            bf: overlap::mean_defined(bf.iter().copied()),
            classes,
        }
    }

    /// The counts of one class; `None` if the image has no pixel of it in either map.
    pub fn class(&self, label: u8) -> Option<&ImageClass> {
        self.classes.iter().find(|entry| entry.class == label)
    }

    /// IoU of one class.
    pub fn iou(&self, label: u8) -> Option<f64> {
        self.class(label)?.region.iou()
    }

    /// Boundary IoU of one class.
    pub fn boundary_iou(&self, label: u8) -> Option<f64> {
        self.class(label)?.boundary.iou()
    }
}

/// The first columns of the images' table.
const COLUMNS: [&str; 10] = [
    "image",
    "height",
    "width",
    "miou",
    "boundary_miou",
    "pixel_accuracy",
    "mean_accuracy",
    "dice",
    "min_iou_boundary_iou",
    "bf",
];

impl Scores {
    /// The images as comma-separated values: a header, then one line an image, undefined scores being empty.
    /// The IoU of each class is in a column `iou <name>`, its Boundary IoU in `boundary_iou <name>`.
    /// `None` if the scores were kept without their images.
    ///
    /// ```
    /// use dapple_metrics::{Evaluator, Protocol};
    /// let mut evaluator = Evaluator::new(Protocol::new(["sky", "tree"], None))?;
    /// evaluator.add("a,b.png", &[0, 0], &[0, 0], 1, 2)?;
    /// let csv = evaluator.finish_with_images().images_csv().unwrap();
    /// assert_eq!(csv.lines().next().unwrap(), "image,height,width,miou,boundary_miou,pixel_accuracy,mean_accuracy,\
    ///     dice,min_iou_boundary_iou,bf,iou sky,boundary_iou sky,iou tree,boundary_iou tree");
    /// assert_eq!(csv.lines().nth(1).unwrap(), "\"a,b.png\",1,2,1,1,1,1,1,1,1,1,1,,");
    /// # Ok::<(), dapple_metrics::MetricsError>(())
    /// ```
    pub fn images_csv(&self) -> Option<String> {
        let images = self.images_detail.as_ref()?;
        let mut csv = csv::Writer::from_writer(Vec::new());
        let mut header: Vec<String> = COLUMNS.map(str::to_owned).into();
        for class in &self.classes {
            header.extend(["iou", "boundary_iou"].map(|kind| format!("{kind} {}", class.name)));
        }
        csv.write_record(header).expect("memory takes it");
        for image in images {
            let means = [
                image.miou,
                image.boundary_miou,
                image.pixel_accuracy,
                image.mean_accuracy,
                image.dice,
                image.min_iou_boundary_iou,
                image.bf,
            ];
            let classes = (0..=u8::MAX).zip(&self.classes);
            let of_classes = classes.flat_map(|(label, _)| [image.iou(label), image.boundary_iou(label)]);
            let scores = means.into_iter().chain(of_classes);
            let mut record = vec![image.name.clone(), image.height.to_string(), image.width.to_string()];
            record.extend(scores.map(|score| score.map(|score| score.to_string()).unwrap_or_default()));
            csv.write_record(record).expect("every record has as many fields as the header");
        }
        let bytes = csv.into_inner().expect("memory takes it");
        Some(String::from_utf8(bytes).expect("fields are UTF-8, and so are commas and quotes"))
    }
}

/// A choice that changes the numbers, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The subject.
    pub name: String,
    /// The choice.
    pub text: String,
}

/// The smaller of IoU and Boundary IoU, as the COCO and panoptic protocols of the Boundary IoU paper score a segment.
/// Undefined if either is.
pub fn min_iou_boundary_iou(region: &Overlap, boundary: &Overlap) -> Option<f64> {
    Some(region.iou()?.min(boundary.iou()?))
}
