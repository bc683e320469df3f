//! TIFF row by row: a row of strips or tiles at a time is in memory.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use dapple_data::{DataError, Photo, Reading, TiffFile, ValueRange};

use super::rows::RowSource;
use crate::error::PredictError;

/// The image of a TIFF file.
pub(super) struct TiffRows {
    path: PathBuf,
    file: TiffFile<BufReader<File>>,
    reading: Reading,
    range: ValueRange,
    /// The rows in memory, and the first one's number.
    block: Option<(usize, Photo)>,
    next: usize,
}

impl TiffRows {
    pub fn open(path: &Path, reading: &Reading) -> Result<Self, PredictError> {
        let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let mut file = TiffFile::open(BufReader::new(file), path)?;
        if file.is_turned() {
            let problem = "it is stored rotated; save it upright, so that it can be read row by row";
            return Err(PredictError::bad_file(path, problem));
        }
        let facts = (file.kind(), file.bands());
        let range = reading.settle(path, facts, || {
            let (mut first, mut extent) = (0, None::<[f64; 2]>);
            while first < file.size().height {
                let rows = file.read_rows(first)?;
                first += rows.height;
                if let Some([low, high]) = rows.extent() {
                    let [least, most] = extent.get_or_insert([low, high]);
                    (*least, *most) = (least.min(low), most.max(high));
                }
            }
            Ok(extent)
        })?;
        Ok(Self { path: path.to_owned(), file, reading: reading.clone(), range, block: None, next: 0 })
    }

    /// The block of the next row, and the row's number in it.
    fn block(&mut self) -> Result<(usize, &Photo), PredictError> {
        let held = self.block.as_ref().and_then(|(first, photo)| {
            self.next.checked_sub(*first).filter(|&inside| inside < photo.raster.height)
        });
        if held.is_none() {
            let rows = self.file.read_rows(self.next)?;
            let photo = rows.photo(&self.range, self.reading.channels);
            let photo = photo.map_err(|reason| PredictError::bad_file(&self.path, reason))?;
            self.block = Some((self.next, photo));
        }
        let (_, photo) = self.block.as_ref().expect("it has just been read where it was missing");
        Ok((held.unwrap_or(0), photo))
    }
}

impl RowSource for TiffRows {
    fn width(&self) -> usize {
        self.file.size().width
    }

    fn height(&self) -> usize {
        self.file.size().height
    }

    fn channels(&self) -> usize {
        self.reading.channels.count()
    }

    fn may_have_gaps(&self) -> bool {
        self.file.may_have_gaps()
    }

    fn next_row(&mut self, row: &mut [u8], coverage: &mut [u8]) -> Result<(), PredictError> {
        let (inside, photo) = self.block()?;
        row.copy_from_slice(&photo.raster.data[inside * row.len()..][..row.len()]);
        match &photo.coverage {
            Some(values) => coverage.copy_from_slice(&values[inside * coverage.len()..][..coverage.len()]),
            None => coverage.fill(u8::MAX),
        }
        self.next += 1;
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), PredictError> {
        self.next = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tiff::encoder::colortype::{ColorType, Gray16, RGB8};
    use tiff::encoder::{TiffEncoder, TiffValue};

    use dapple_data::Channels;

    use crate::source::open_rows;

    /// Writes an image as one strip and reads it back row by row, twice.
    fn read_back<C: ColorType>(values: &[C::Inner], width: u32, height: u32) -> Vec<u8>
    where
        [C::Inner]: TiffValue,
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("one.tif");
        let mut encoder =
            TiffEncoder::new(std::fs::File::create(&path).expect("a new file")).expect("an encoder");
        let mut image = encoder.new_image::<C>(width, height).expect("an image");
        image.rows_per_strip(height).expect("one strip");
        image.write_data(values).expect("the values fit");
        let mut rows = open_rows(&path, &Channels::Rgb.into()).expect("it can be read").expect("a TIFF");
        let mut read = Vec::new();
        for _ in 0..2 {
            read.clear();
            for _ in 0..height {
                let rows_width = rows.width();
                let mut row = vec![0; rows_width * rows.channels()];
                rows.next_row(&mut row, &mut vec![0; rows_width]).expect("a row");
                read.extend(row);
            }
            rows.rewind().expect("again");
        }
        read
    }

    #[test]
    fn one_strip_is_read_row_by_row() {
        let (width, height) = (37u32, 150u32);
        let colours: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
        assert_eq!(read_back::<RGB8>(&colours, width, height), colours);
        let greys: Vec<u16> = (0..width * height).map(|i| (i * 977 % 65_536) as u16).collect();
        let wanted: Vec<u8> = greys.iter().flat_map(|&v| [((u32::from(v) + 128) / 257) as u8; 3]).collect();
        assert_eq!(read_back::<Gray16>(&greys, width, height), wanted);
    }

    #[test]
    fn a_strip_that_ends_early_is_damaged() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("cut.tif");
        let mut encoder =
            TiffEncoder::new(std::fs::File::create(&path).expect("a new file")).expect("an encoder");
        let mut image = encoder.new_image::<RGB8>(64, 100).expect("an image");
        image.rows_per_strip(100).expect("one strip");
        image.write_data(&vec![7; 64 * 100 * 3]).expect("the values fit");
        let offset = {
            let bytes = std::fs::read(&path).expect("the file");
            bytes.windows(64).position(|w| w.iter().all(|&b| b == 7)).expect("the values")
        };
        let mut bytes = std::fs::read(&path).expect("the file");
        // The values move behind the end: their offset, the only entry with this number, points there.
        let entry = bytes.windows(4).position(|w| w == (offset as u32).to_le_bytes()).expect("the offset");
        let end = bytes.len() as u32;
        bytes[entry..entry + 4].copy_from_slice(&end.to_le_bytes());
        std::fs::write(&path, bytes).expect("the file");
        let mut rows = open_rows(&path, &Channels::Rgb.into()).expect("its head is whole").expect("a TIFF");
        let problem =
            rows.next_row(&mut [0; 64 * 3], &mut [0; 64]).expect_err("nothing stands there").to_string();
        assert!(problem.contains("cut.tif") && problem.contains("save it again"), "{problem}");
    }
}
