//! Rows of TIFF strips that are not compressed, however large the strips are: many programs write a whole image as one.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use tiff::decoder::Decoder;
use tiff::tags::Tag;
use tiff::{TiffError, TiffResult};

use super::rows::to_byte;

/// The positions of rows in the file.
pub(super) struct PlainStrips {
    file: File,
    /// Of the strips, from the top.
    offsets: Vec<u64>,
    rows_per_strip: usize,
    /// Values a row.
    row: usize,
    /// 1 or 2 bytes a value.
    bytes: usize,
    big_endian: bool,
}

impl PlainStrips {
    /// The strips of the first image, if its values are stored uncompressed; `row` is the number of values in a row.
    ///
    /// # Errors
    /// For tags that cannot be read.
    pub fn find(path: &Path, decoder: &mut Decoder<BufReader<File>>, row: usize) -> TiffResult<Option<Self>> {
        const NOT_COMPRESSED: u16 = 1;
        const BLACK_IS_ZERO: u16 = 1;
        const RGB: u16 = 2;
        let mut number = |tag| decoder.find_tag_unsigned::<u16>(tag);
        let compression = number(Tag::Compression)?.unwrap_or(NOT_COMPRESSED);
        let photometric = number(Tag::PhotometricInterpretation)?;
        if compression != NOT_COMPRESSED || !matches!(photometric, Some(BLACK_IS_ZERO | RGB)) {
            return Ok(None);
        }
        let bits = decoder.find_tag_unsigned_vec::<u16>(Tag::BitsPerSample)?.unwrap_or_default();
        let bytes = match bits.first() {
            Some(8) => 1,
            Some(16) => 2,
            _ => return Ok(None),
        };
        let Some(offsets) = decoder.find_tag_unsigned_vec::<u64>(Tag::StripOffsets)? else {
            return Ok(None);
        };
        let height = decoder.dimensions()?.1 as usize;
        let rows_per_strip = (decoder.chunk_dimensions().1 as usize).clamp(1, height.max(1));
        if offsets.len() < height.div_ceil(rows_per_strip) {
            return Ok(None);
        }
        let mut file = File::open(path).map_err(TiffError::IoError)?;
        let mut order = [0; 2];
        file.read_exact(&mut order).map_err(TiffError::IoError)?;
        Ok(Some(Self { file, offsets, rows_per_strip, row, bytes, big_endian: &order == b"MM" }))
    }

    /// Reads `rows` rows from row `first` on as bytes, 16 bits rounded to 8.
    ///
    /// # Errors
    /// If the file is too short.
    pub fn read(&mut self, first: usize, rows: usize, to: &mut Vec<u8>) -> io::Result<()> {
        to.clear();
        let length = self.row * self.bytes;
        let mut stored = vec![0; length];
        for row in first..first + rows {
            let (strip, inside) = (row / self.rows_per_strip, row % self.rows_per_strip);
            let place = self.offsets[strip].checked_add((inside * length) as u64);
            let place = place.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.file.seek(SeekFrom::Start(place))?;
            self.file.read_exact(&mut stored)?;
            if self.bytes == 1 {
                to.extend_from_slice(&stored);
                continue;
            }
            let value = |pair: &[u8]| {
                let pair = [pair[0], pair[1]];
                if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
            };
            to.extend(stored.chunks_exact(2).map(|pair| to_byte(value(pair))));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tiff::encoder::colortype::{ColorType, Gray16, RGB8};
    use tiff::encoder::{TiffEncoder, TiffValue};

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
        let (mut rows, _) = open_rows(&path).expect("it can be read").expect("a TIFF");
        let mut read = Vec::new();
        for _ in 0..2 {
            read.clear();
            for _ in 0..height {
                let mut row = vec![0; rows.width() * rows.channels()];
                rows.next_row(&mut row).expect("a row");
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
        let wanted: Vec<u8> = greys.iter().map(|&v| super::to_byte(v)).collect();
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
        let (mut rows, _) = open_rows(&path).expect("its head is whole").expect("a TIFF");
        let problem = rows.next_row(&mut [0; 64 * 3]).expect_err("nothing stands there").to_string();
        assert!(problem.contains("cut.tif") && problem.contains("save it again"), "{problem}");
    }
}
