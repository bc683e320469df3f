//! Masks of georeferenced images: TIFF files with the tags that place them.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use tiff::TiffResult;
use tiff::encoder::TiffEncoder;
use tiff::tags::Tag;

use super::image_info::ImageInfo;
use super::sink::Output;
use super::target::Target;
use crate::decision::UNDECIDED;
use crate::error::PredictError;
use crate::geo::GeoTags;
use crate::row::ImageRow;

/// GDAL's tag with the value of pixels without data.
const GDAL_NODATA: Tag = Tag::Unknown(42113);
/// Rows of a strip.
const ROWS: usize = 64;

/// Class indices in deflated strips, which are kept until the last row is known: masks are small. Pixels without data
/// have the value 255, and a tag says so.
pub(super) struct GroundMask {
    image: ImageInfo,
    /// Red, green and blue of each index, for a mask with colours.
    palette: Option<Vec<u8>>,
    strips: Vec<Vec<u8>>,
    strip: Vec<u8>,
    has_empty: bool,
    target: Target,
}

impl GroundMask {
    pub fn new(image: &ImageInfo, palette: Option<Vec<u8>>, target: Target) -> Self {
        let (strips, strip) = (Vec::new(), Vec::new());
        Self { image: image.clone(), palette, strips, strip, has_empty: false, target }
    }

    fn close_strip(&mut self) -> Result<(), PredictError> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let strip = encoder.write_all(&self.strip).and_then(|()| encoder.finish());
        self.strips.push(strip.map_err(|e| PredictError::write("TIFF", e))?);
        self.strip.clear();
        Ok(())
    }

    fn file(&self) -> TiffResult<Vec<u8>> {
        const DEFLATE: u16 = 8;
        const BLACK_IS_ZERO: u16 = 1;
        const PALETTE: u16 = 3;
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes)?;
        let mut file = encoder.image_directory()?;
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for strip in &self.strips {
            offsets.push(u32::try_from(file.write_data(&strip[..])?)?);
            lengths.push(u32::try_from(strip.len())?);
        }
        file.write_tag(Tag::ImageWidth, u32::try_from(self.image.width)?)?;
        file.write_tag(Tag::ImageLength, u32::try_from(self.image.height)?)?;
        file.write_tag(Tag::BitsPerSample, 8_u16)?;
        file.write_tag(Tag::SamplesPerPixel, 1_u16)?;
        file.write_tag(Tag::SampleFormat, 1_u16)?;
        file.write_tag(Tag::Compression, DEFLATE)?;
        file.write_tag(Tag::RowsPerStrip, ROWS as u32)?;
        file.write_tag(Tag::StripOffsets, &offsets[..])?;
        file.write_tag(Tag::StripByteCounts, &lengths[..])?;
        match &self.palette {
            None => file.write_tag(Tag::PhotometricInterpretation, BLACK_IS_ZERO)?,
            Some(colours) => {
                file.write_tag(Tag::PhotometricInterpretation, PALETTE)?;
                let value = |channel: usize, index: usize| {
                    // Beyond the classes white, as in PNG files.
                    u16::from(colours.get(3 * index + channel).copied().unwrap_or(u8::MAX)) * 257
                };
                let map: Vec<u16> =
                    (0..3).flat_map(|c| (0..256).map(move |i| (c, i))).map(|(c, i)| value(c, i)).collect();
                file.write_tag(Tag::ColorMap, &map[..])?;
            }
        }
        if self.has_empty {
            file.write_tag(GDAL_NODATA, "255")?;
        }
        if let Some(tags) = self.image.geo.as_ref().and_then(|geo| geo.tags.as_deref()) {
            let GeoTags { scale, tie_points, transformation, keys, numbers, text } = tags;
            let tags = [
                (Tag::ModelPixelScaleTag, scale),
                (Tag::ModelTiepointTag, tie_points),
                (Tag::ModelTransformationTag, transformation),
                (Tag::GeoDoubleParamsTag, numbers),
            ];
            for (tag, values) in tags.into_iter().filter(|(_, values)| !values.is_empty()) {
                file.write_tag(tag, &values[..])?;
            }
            if !keys.is_empty() {
                file.write_tag(Tag::GeoKeyDirectoryTag, &keys[..])?;
            }
            if !text.is_empty() {
                // The tag is ASCII, and keys count its bytes: names in other letters keep their length.
                let byte = |byte: u8| if matches!(byte, 1..=127) { char::from(byte) } else { '?' };
                let text: String = text.bytes().map(byte).collect();
                file.write_tag(Tag::GeoAsciiParamsTag, text.as_str())?;
            }
        }
        file.finish()?;
        Ok(bytes.into_inner())
    }
}

impl Output for GroundMask {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        let labels = row.labels_with_data();
        self.has_empty |= row.coverage.contains(&0);
        self.strip.extend_from_slice(&labels);
        if (row.y + 1).is_multiple_of(ROWS) || row.y + 1 == self.image.height {
            self.close_strip()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), PredictError> {
        let bytes = self.file().map_err(|e| PredictError::write("TIFF", std::io::Error::other(e)))?;
        self.target.write_all(&bytes).map_err(|e| PredictError::write("TIFF", e))
    }
}

const _: () = assert!(
    UNDECIDED == u8::MAX,
    "pixels without data have the label of undecided ones, which the tag names"
);
