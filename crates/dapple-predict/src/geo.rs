//! The place of a georeferenced TIFF's pixels on the ground (OGC 19-008r4, GeoTIFF 1.1).

use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use dapple_base::{contain, open_regular};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// The GeoKey with the kind of coordinate system: projected (1) or geographic (2).
const MODEL_TYPE: u16 = 1024;
/// The GeoKey that states whether a tie point is a pixel's corner (1) or its centre (2).
const RASTER_TYPE: u16 = 1025;
/// The GeoKeys with the EPSG code of a geographic and of a projected coordinate system.
const GEOGRAPHIC: u16 = 2048;
const PROJECTED: u16 = 3072;
/// The GeoKey with the unit of projected coordinates.
const LINEAR_UNIT: u16 = 3076;
/// User-defined, and undefined: no EPSG code.
const NO_CODES: [u16; 2] = [32767, 0];
/// Mercator systems for maps on the web: their metres are those of the equator only.
const WEB_MERCATOR: [u16; 3] = [3857, 3785, 3395];

/// The affine map from an image to the ground, and the tags that state it.
#[derive(Clone, Debug, PartialEq)]
pub struct GeoReference {
    /// `x = m[0] * column + m[1] * row + m[2]`, `y = m[3] * column + m[4] * row + m[5]`; columns and rows are counted from
    /// the upper left corner of the first pixel.
    pub matrix: [f64; 6],
    /// The EPSG code of the coordinate system, where the file has one.
    pub epsg: Option<u16>,
    /// Metres of a unit of the coordinates; `None` for degrees, for units that are not known, and for projections whose
    /// areas are not those of the ground.
    pub metres: Option<f64>,
    pub(crate) tags: Arc<GeoTags>,
}

/// The tags of the reference as they stand in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GeoTags {
    pub scale: Vec<f64>,
    pub tie_points: Vec<f64>,
    pub transformation: Vec<f64>,
    pub keys: Vec<u16>,
    pub numbers: Vec<f64>,
    pub text: String,
}

impl GeoReference {
    /// The reference of a TIFF file; `None` for a TIFF without one, for one that is stored turned, and for any other file.
    pub fn of_file(path: &Path) -> Option<Self> {
        let file = open_regular(path).ok()?;
        // A file that the reader of tags fails on has its error when it is decoded.
        contain(|| Self::read(&mut Decoder::new(BufReader::new(file)).ok()?)).ok().flatten()
    }

    pub(crate) fn read<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Self> {
        // The tags place the pixels as they are stored, and results of such a file are turned.
        if decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten().is_some_and(|kind| kind > 1) {
            return None;
        }
        let mut numbers = |tag| decoder.get_tag_f64_vec(tag).unwrap_or_default();
        let tags = GeoTags {
            transformation: numbers(Tag::ModelTransformationTag),
            scale: numbers(Tag::ModelPixelScaleTag),
            tie_points: numbers(Tag::ModelTiepointTag),
            numbers: numbers(Tag::GeoDoubleParamsTag),
            keys: decoder.get_tag_u16_vec(Tag::GeoKeyDirectoryTag).unwrap_or_default(),
            text: decoder.get_tag_ascii_string(Tag::GeoAsciiParamsTag).unwrap_or_default(),
        };
        let mut matrix = match (&tags.transformation[..], &tags.scale[..], &tags.tie_points[..]) {
            (&[a, b, _, c, d, e, _, f, ..], _, _) => [a, b, c, d, e, f],
            (_, &[sx, sy, ..], &[i, j, _, x, y, ..]) => [sx, 0.0, x - i * sx, 0.0, -sy, y + j * sy],
            _ => return None,
        };
        if tags.key(RASTER_TYPE) == Some(2) {
            // The reference is the pixel's centre: the corner lies half a pixel before it.
            matrix[2] -= (matrix[0] + matrix[1]) / 2.0;
            matrix[5] -= (matrix[3] + matrix[4]) / 2.0;
        }
        if matrix.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let code = |key| tags.key(key).filter(|code| !NO_CODES.contains(code));
        let epsg = code(PROJECTED).or_else(|| code(GEOGRAPHIC));
        let metres = tags.metres(code(PROJECTED));
        Some(Self { matrix, epsg, metres, tags: Arc::new(tags) })
    }

    /// The ground coordinates of a point of the image.
    pub fn ground(&self, column: f64, row: f64) -> [f64; 2] {
        let m = &self.matrix;
        [m[0] * column + m[1] * row + m[2], m[3] * column + m[4] * row + m[5]]
    }

    /// The area of a pixel in square metres, where the coordinate system has units of length.
    pub fn pixel_area(&self) -> Option<f64> {
        let m = &self.matrix;
        self.metres.map(|unit| (m[0] * m[4] - m[1] * m[3]).abs() * unit * unit)
    }

    /// The content of a world file, which places a picture without tags of its own: the matrix, to the centre of the
    /// first pixel.
    pub fn world_file(&self) -> String {
        let m = &self.matrix;
        let [x, y] = self.ground(0.5, 0.5);
        format!("{}\n{}\n{}\n{}\n{x}\n{y}\n", m[0], m[3], m[1], m[4])
    }
}

impl GeoTags {
    fn key(&self, wanted: u16) -> Option<u16> {
        let entry = self.keys.as_chunks::<4>().0.iter().skip(1).find(|e| e[0] == wanted && e[1] == 0);
        entry.map(|e| e[3])
    }

    /// Metres of a unit, of the projected system with this code or of one without.
    fn metres(&self, projected: Option<u16>) -> Option<f64> {
        let is_projected = self.key(MODEL_TYPE).map_or(projected.is_some(), |kind| kind == 1);
        if !is_projected || projected.is_some_and(|code| WEB_MERCATOR.contains(&code)) {
            return None;
        }
        match (self.key(LINEAR_UNIT), projected) {
            (Some(9001), _) => Some(1.0),
            (Some(9002), _) => Some(0.3048),
            (Some(9003), _) => Some(1200.0 / 3937.0),
            (Some(_), _) => None,
            // The zones of Universal Transverse Mercator, and the systems of Europe, are in metres.
            (None, Some(32601..=32660 | 32701..=32760 | 25828..=25838 | 23028..=23038 | 3034 | 3035)) => {
                Some(1.0)
            }
            (None, _) => None,
        }
    }
}
