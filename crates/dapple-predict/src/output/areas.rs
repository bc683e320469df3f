//! Areas of the classes and of the connected regions, as CSV (RFC 4180).

use std::io::{self, Write};
use std::sync::Arc;

use dapple_base::csv_cell;
use dapple_report::Palette;

use super::image_info::ImageInfo;
use super::sink::Output;
use super::target::Target;
use crate::components::Components;
use crate::decision::UNDECIDED;
use crate::error::PredictError;
use crate::geo::GeoReference;
use crate::row::ImageRow;

/// The header line. A row without a region describes a class in the whole image; `share` is of the pixels that have data;
/// a box is its upper left corner and its size in pixels. Areas are those on the ground, of a georeferenced image whose
/// coordinates have units of length. The row `no data` counts pixels that are transparent or marked as such.
pub const AREAS_HEADER: &str =
    "image,class,label,region,pixels,share,x,y,width,height,square_metres,hectares\n";

/// In place of a label, for pixels without data.
const NO_DATA: usize = usize::MAX;

/// Counts pixels and finds regions row by row.
pub(super) struct Areas {
    image: ImageInfo,
    classes: Arc<Palette>,
    min_area: u64,
    counts: [u64; 256],
    /// Pixels without data.
    empty: u64,
    components: Components,
    target: Target,
}

impl Areas {
    pub fn new(image: &ImageInfo, classes: &Arc<Palette>, min_area: u64, target: Target) -> Self {
        let (image, classes) = (image.clone(), Arc::clone(classes));
        Self { image, classes, min_area, counts: [0; 256], empty: 0, components: Components::new(0), target }
    }
}

impl Output for Areas {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        let labels = row.labels_with_data();
        labels.iter().for_each(|&label| self.counts[usize::from(label)] += 1);
        self.empty += row.coverage.iter().filter(|&&part| part == 0).count() as u64;
        self.components.row(&labels);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        let Self { image, classes, min_area, mut counts, empty, components, mut target } = *self;
        target.write_all(AREAS_HEADER.as_bytes()).map_err(|e| PredictError::write("areas", e))?;
        let mut table = csv::Writer::from_writer(target);
        let undecided = usize::from(UNDECIDED);
        counts[undecided] -= empty;
        // Without any data, no share is of anything.
        let total = ((image.width * image.height) as u64 - empty).max(1) as f64;
        let pixel_area = image.geo.as_ref().and_then(GeoReference::pixel_area);
        let mut line = |label: usize, region: String, pixels: u64, place: [String; 4]| {
            let class = match label {
                NO_DATA => "no data",
                label => classes.names().get(label).map_or("undecided", String::as_str),
            };
            let share =
                if label == NO_DATA { String::new() } else { format!("{:.6}", pixels as f64 / total) };
            let area = pixel_area.map(|area| area * pixels as f64);
            let metres = area.map_or(String::new(), |area| format!("{area:.2}"));
            let hectares = area.map_or(String::new(), |area| format!("{:.6}", area / 10_000.0));
            let label = if label == NO_DATA { String::new() } else { label.to_string() };
            let pixels = pixels.to_string();
            let [x, y, width, height] = &place;
            let cells: [&str; 12] = [
                &csv_cell(&image.name),
                &csv_cell(class),
                &label,
                &region,
                &pixels,
                &share,
                x,
                y,
                width,
                height,
                &metres,
                &hectares,
            ];
            table.write_record(cells).map_err(|e| PredictError::write("areas", io::Error::from(e)))
        };
        let counted = (0..classes.count()).chain((counts[undecided] > 0).then_some(undecided));
        for label in counted {
            line(label, String::new(), counts[label], Default::default())?;
        }
        if empty > 0 {
            line(NO_DATA, String::new(), empty, Default::default())?;
        }
        let regions = components.finish().into_iter().filter(|r| r.area >= min_area && r.label != UNDECIDED);
        for (number, region) in (1..).zip(regions) {
            let (columns, rows) = (region.columns, region.rows);
            let place = [columns.start, rows.start, columns.len(), rows.len()].map(|v| v.to_string());
            line(usize::from(region.label), number.to_string(), region.area, place)?;
        }
        table.flush().map_err(|e| PredictError::write("areas", e))
    }
}

/// The tables of several images as one.
pub fn merge_areas<'a>(tables: impl IntoIterator<Item = &'a str>) -> String {
    std::iter::once(AREAS_HEADER).chain(tables.into_iter().map(areas_rows)).collect()
}

/// A table of areas without its header line.
pub(crate) fn areas_rows(table: &str) -> &str {
    table.strip_prefix(AREAS_HEADER).unwrap_or(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::RowValues;

    #[test]
    fn no_cell_is_a_formula() {
        let image =
            ImageInfo { width: 1, height: 1, name: "=HYPERLINK(\"x\").png".into(), ..ImageInfo::default() };
        let names = vec!["@ground".to_owned(), "+horse".to_owned()];
        let classes = dapple_data::Classes { names, colours: vec![[0; 3], [9; 3]] };
        let classes = Arc::new(Palette::new(classes, None).expect("two classes"));
        let target = Target::memory();
        let mut areas = Box::new(Areas::new(&image, &classes, 1, target.clone()));
        let values = RowValues { labels: vec![1], ..RowValues::default() };
        areas
            .row(&ImageRow { y: 0, pixels: &[0; 3], channels: 3, coverage: &[], values: &values })
            .expect("memory");
        areas.finish().expect("memory");
        let found = String::from_utf8(target.commit().expect("memory")).expect("text");
        let mut reader = csv::Reader::from_reader(found.as_bytes());
        for record in reader.records() {
            let record = record.expect("a record");
            assert!(record.iter().all(|cell| !cell.starts_with(['=', '@', '+', '-'])), "{record:?}");
        }
    }

    #[test]
    fn names_with_commas_and_quotes_are_quoted() {
        let image = ImageInfo { width: 2, height: 1, name: "a, \"b\".png".into(), ..ImageInfo::default() };
        let names = vec!["ground".to_owned(), "horse, white".to_owned()];
        let classes = dapple_data::Classes { names, colours: vec![[0; 3], [9; 3]] };
        let classes = Arc::new(Palette::new(classes, None).expect("two classes"));
        let target = Target::memory();
        let mut areas = Box::new(Areas::new(&image, &classes, 1, target.clone()));
        let values = RowValues { labels: vec![0, 1], ..RowValues::default() };
        areas
            .row(&ImageRow { y: 0, pixels: &[0; 6], channels: 3, coverage: &[], values: &values })
            .expect("memory");
        areas.finish().expect("memory");
        let wanted = "\"a, \"\"b\"\".png\",ground,0,,1,0.500000,,,,,,\n\
            \"a, \"\"b\"\".png\",\"horse, white\",1,,1,0.500000,,,,,,\n\
            \"a, \"\"b\"\".png\",\"horse, white\",1,1,1,0.500000,1,0,1,1,,\n";
        let found = String::from_utf8(target.commit().expect("memory")).expect("text");
        assert_eq!(found, format!("{AREAS_HEADER}{wanted}"));
        assert_eq!(merge_areas([found.as_str(), found.as_str()]).matches("image,class").count(), 1);
    }
}
