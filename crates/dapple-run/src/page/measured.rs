//! The sections of a report that need predictions: from `evaluation.json`, `extremes/` and `strips/`.

use dapple_base::Size;
use dapple_report::document::{Block, Cell, Mark, Picture, Section, Source, Table};
use dapple_report::{Bar, Chart, ERROR_COLOURS, Series};

use super::data::RunData;
use super::parts::{fact, section, shown};
use crate::examine::{Examination, Place, background, picture_bytes};
use crate::text::grouped;

/// The largest number of classes with a confusion matrix; with more, only the worst confusions are listed.
const MATRIX_CLASSES: usize = 40;
/// The number of confusions listed.
const CONFUSIONS: usize = 12;
/// The number of mask strips shown.
const STRIPS: usize = 4;

pub(super) fn confusion(run: &RunData) -> Option<Section> {
    let Examination { confusion, data, .. } = run.examination.as_ref()?;
    let names: Vec<&str> = data.classes.iter().map(|class| class.name.as_str()).collect();
    let total = |truth: usize| confusion[truth].iter().sum::<u64>();
    let share = |truth: usize, found: usize| confusion[truth][found] as f64 / total(truth).max(1) as f64;
    let mut blocks = Vec::new();
    if names.len() <= MATRIX_CLASSES {
        let row = |truth: usize| {
            let cell = |found| match total(truth) {
                0 => Cell::from("–"),
                _ => Cell::marked(
                    format!("{:.1}", 100.0 * share(truth, found)),
                    Mark::Heat(share(truth, found)),
                ),
            };
            let heading = Cell::marked(names[truth], Mark::Swatch(data.classes[truth].colour));
            [heading].into_iter().chain((0..names.len()).map(cell)).collect()
        };
        blocks.push(Block::Table(Table {
            caption: "Percentage of the pixels of each true class (rows) predicted as each class (columns)"
                .into(),
            columns: ["truth"].into_iter().chain(names.iter().copied()).map(String::from).collect(),
            rows: (0..names.len()).map(row).collect(),
        }));
    }
    let mut pairs: Vec<(usize, usize)> = (0..names.len())
        .flat_map(|truth| (0..names.len()).map(move |found| (truth, found)))
        .filter(|&(truth, found)| truth != found && confusion[truth][found] > 0)
        .collect();
    pairs.sort_by_key(|&(truth, found)| std::cmp::Reverse(confusion[truth][found]));
    if names.len() > 2 && !pairs.is_empty() {
        let row = |&(truth, found): &(usize, usize)| {
            vec![
                Cell::from(format!("{} taken for {}", names[truth], names[found])),
                grouped(confusion[truth][found]).into(),
                format!("{:.1} %", 100.0 * share(truth, found)).into(),
            ]
        };
        blocks.push(Block::Table(Table {
            caption: "The most frequent confusions".into(),
            columns: ["Confusion", "Pixels", "Share of the class"].map(String::from).to_vec(),
            rows: pairs.iter().take(CONFUSIONS).map(row).collect(),
        }));
    }
    Some(section("confusion", "Confusion", blocks))
}

pub(super) fn calibration(run: &RunData) -> Option<Section> {
    let calibration = &run.examination.as_ref()?.calibration;
    let bars: Vec<Bar> = calibration
        .bins
        .iter()
        .filter_map(|bin| Some(Bar { low: bin.low, high: bin.high, height: bin.accuracy? }))
        .collect();
    let chart = Chart::shares("Reliability", "confidence", "accuracy", Vec::new(), bars)
        .with_diagonal()
        .with_remark("On the dotted line, confidence equals accuracy");
    let pixels: u64 = calibration.bins.iter().map(|bin| bin.pixels).sum();
    let row = |bin: &dapple_metrics::ReliabilityBin| {
        let share = bin.pixels as f64 / pixels.max(1) as f64;
        vec![
            Cell::from(format!("{:.2} to {:.2}", bin.low, bin.high)),
            shown(bin.confidence).into(),
            shown(bin.accuracy).into(),
            Cell::marked(format!("{:.1} %", 100.0 * share), Mark::Bar(share)),
        ]
    };
    let table = Table {
        caption: "Pixels by the confidence in their predicted class".into(),
        columns: ["Confidence", "Mean confidence", "Accuracy", "Share of pixels"].map(String::from).to_vec(),
        rows: calibration.bins.iter().filter(|bin| bin.pixels > 0).map(row).collect(),
    };
    let facts = vec![
        fact("Expected calibration error", shown(calibration.expected_error)),
        fact("Maximum calibration error", shown(calibration.maximum_error)),
    ];
    let text = "The probability of the predicted class at each pixel, in 15 bins, against the share of pixels predicted \
                correctly. Bars below the line: the model is overconfident.";
    let blocks = vec![
        Block::Text(text.into()),
        Block::Facts(facts),
        Block::Charts(vec![chart]),
        Block::Folded("The bins".into(), vec![Block::Table(table)]),
    ];
    Some(section("calibration", "Calibration", blocks))
}

pub(super) fn precision_recall(run: &RunData) -> Option<Section> {
    let examination = run.examination.as_ref()?;
    let curve = examination.precision_recall.as_ref()?;
    let line =
        Series::new("precision", curve.points.iter().map(|point| (point.recall, Some(point.precision))));
    let chart = Chart::shares("Precision over recall", "recall", "precision", vec![line], Vec::new());
    let foreground = &examination.data.classes[1].name;
    let facts = vec![fact("Average precision", shown(curve.average_precision))];
    let text = format!(
        "Pixels of `{foreground}` at all thresholds of its probability, over the whole validation part."
    );
    let blocks = vec![Block::Text(text), Block::Facts(facts), Block::Charts(vec![chart])];
    Some(section("precision-recall", "Precision and recall", blocks))
}

pub(super) fn images(run: &RunData) -> Option<Section> {
    let examination = run.examination.as_ref()?;
    let two = examination.data.classes.len() == 2;
    let mut blocks = Vec::new();
    let legend = |name: &str, colour, text: &str| vec![Cell::marked(name, Mark::Swatch(colour)), text.into()];
    let names: Vec<&str> = examination.data.classes.iter().map(|class| class.name.as_str()).collect();
    let mut rows = Vec::new();
    if background(&names).is_some() {
        rows.push(legend("false positive", ERROR_COLOURS.false_positive, "background predicted as a class"));
        rows.push(legend("false negative", ERROR_COLOURS.false_negative, "a class predicted as background"));
    }
    if !two {
        rows.push(legend("wrong class", ERROR_COLOURS.wrong_class, "one class predicted as another"));
    }
    blocks.push(Block::Table(Table {
        caption: "Colours of the error maps; fainter near the outlines of the ground truth".into(),
        columns: vec!["Error".into(), "Meaning".into()],
        rows,
    }));
    let mut last = None;
    for (number, image) in (1..).zip(&examination.shown) {
        let place = match image.place {
            Place::Worst => "Worst",
            Place::Median => "Median",
            Place::Best => "Best",
        };
        if last != Some(image.place) {
            blocks.push(Block::Heading(place.into()));
            last = Some(image.place);
        }
        let (score, boundary) = if two { ("IoU", "Boundary IoU") } else { ("mean IoU", "mean Boundary IoU") };
        let caption =
            format!("{}: {score} {:.4}, {boundary} {}", image.name, image.score, shown(image.boundary_score));
        let kinds = ["Image", "Truth", "Prediction", "Errors"];
        let pictures = kinds.iter().zip(&image.files).filter_map(|(kind, file)| {
            Some(Picture {
                source: Source::Embedded {
                    name: format!("{}-{file}", run.name),
                    bytes: picture_bytes(&run.path, "extremes", file)?,
                },
                size: Size { height: image.size.1 as usize, width: image.size.0 as usize },
                alt: format!("{kind} of {}, {} image {number}", image.name, place.to_lowercase()),
                caption: (*kind).into(),
            })
        });
        let pictures: Vec<Picture> = pictures.collect();
        if pictures.len() == kinds.len() {
            blocks.push(Block::Pictures(caption, pictures));
        } else {
            blocks.push(Block::Notice(format!("{caption}. Its pictures in extremes/ are missing.")));
        }
    }
    Some(section("images", "Worst, median and best images", blocks))
}

pub(super) fn strips(run: &RunData) -> Option<Section> {
    let folder = run.path.join("strips");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".png") && !name.starts_with('.'))
        .collect();
    names.sort();
    let pictures = names.into_iter().take(STRIPS).filter_map(|name| {
        let bytes = picture_bytes(&run.path, "strips", &name)?;
        let size = dapple_data::image_size_bytes(&bytes, &name).ok()?;
        let title = name.trim_end_matches(".png").to_owned();
        let picture = Picture {
            source: Source::Embedded { name: format!("{}-strip-{name}", run.name), bytes },
            size,
            alt: format!("Mask strip of {title}: for each class the truth's mask above the prediction's"),
            caption: String::new(),
        };
        Some(Block::Pictures(title, vec![picture]))
    });
    let blocks: Vec<Block> = pictures.collect();
    (!blocks.is_empty()).then(|| section("strips", "Masks, class by class", blocks))
}
