//! The place of a georeferenced TIFF's pixels on the ground (OGC 19-008r4, GeoTIFF 1.1).

use std::io::{Read, Seek};
use std::path::Path;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// The GeoKey that states whether a tie point is a pixel's corner (1) or its centre (2).
const RASTER_TYPE: u16 = 1025;
/// The GeoKeys with the EPSG code of a geographic and of a projected coordinate system.
const CODES: [u16; 2] = [3072, 2048];
/// User-defined, and undefined: no EPSG code.
const NO_CODES: [u16; 2] = [32767, 0];

/// The affine map from an image to the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeoReference {
    /// `x = m[0] * column + m[1] * row + m[2]`, `y = m[3] * column + m[4] * row + m[5]`; columns and rows are counted from
    /// the upper left corner of the first pixel.
    pub matrix: [f64; 6],
    /// The EPSG code of the coordinate system, where the file has one.
    pub epsg: Option<u16>,
}

impl GeoReference {
    /// The reference of a TIFF file; `None` for a TIFF without one, and for any other file.
    pub fn of_file(path: &Path) -> Option<Self> {
        let file = std::fs::File::open(path).ok()?;
        Self::read(&mut Decoder::new(std::io::BufReader::new(file)).ok()?)
    }

    pub(crate) fn read<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Self> {
        let mut numbers = |tag| decoder.get_tag_f64_vec(tag).ok();
        let transformation = numbers(Tag::ModelTransformationTag);
        let scale = numbers(Tag::ModelPixelScaleTag);
        let tie = numbers(Tag::ModelTiepointTag);
        let keys = decoder.get_tag_u16_vec(Tag::GeoKeyDirectoryTag).unwrap_or_default();
        let key = |wanted: u16| {
            let entry = keys.as_chunks::<4>().0.iter().skip(1).find(|e| e[0] == wanted && e[1] == 0);
            entry.map(|e| e[3])
        };
        let mut matrix = match (transformation.as_deref(), scale.as_deref(), tie.as_deref()) {
            (Some(&[a, b, _, c, d, e, _, f, ..]), _, _) => [a, b, c, d, e, f],
            (_, Some(&[sx, sy, ..]), Some(&[i, j, _, x, y, ..])) => {
                [sx, 0.0, x - i * sx, 0.0, -sy, y + j * sy]
            }
            _ => return None,
        };
        if key(RASTER_TYPE) == Some(2) {
            // The reference is the pixel's centre: the corner lies half a pixel before it.
            matrix[2] -= (matrix[0] + matrix[1]) / 2.0;
            matrix[5] -= (matrix[3] + matrix[4]) / 2.0;
        }
        if matrix.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let epsg = CODES.iter().find_map(|&code| key(code)).filter(|code| !NO_CODES.contains(code));
        Some(Self { matrix, epsg })
    }

    /// The ground coordinates of a point of the image.
    pub fn ground(&self, column: f64, row: f64) -> [f64; 2] {
        let m = &self.matrix;
        [m[0] * column + m[1] * row + m[2], m[3] * column + m[4] * row + m[5]]
    }
}
