//! The tags that place a TIFF file (OGC 19-008r4, GeoTIFF 1.1).

use std::io::{BufReader, Read, Seek};
use std::path::Path;

use dapple_base::{contain, open_regular};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::beside::sound;
use super::crs::metres_on_ground;

/// The GeoKey with the kind of coordinate system: projected (1) or geographic (2).
const MODEL_TYPE: u16 = 1024;
/// The GeoKey that states whether a tie point is a pixel's corner (1) or its centre (2).
const RASTER_TYPE: u16 = 1025;
/// The GeoKeys with the EPSG code of a geographic and of a projected coordinate system.
const GEOGRAPHIC: u16 = 2048;
const PROJECTED: u16 = 3072;
/// The GeoKey with the method of a projection that has no code, and Mercator's, which grows towards the poles.
const METHOD: u16 = 3075;
const MERCATOR: u16 = 7;
/// The GeoKey with the unit of projected coordinates.
const LINEAR_UNIT: u16 = 3076;
/// User-defined, and undefined: no EPSG code.
const NO_CODES: [u16; 2] = [32767, 0];

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

/// The tags of a TIFF file; `None` for any other file, and for one that is stored turned.
pub(super) fn tags_of_file(path: &Path) -> Option<GeoTags> {
    tags_of_source(BufReader::new(open_regular(path).ok()?))
}

pub(super) fn tags_of_source<R: Read + Seek>(source: R) -> Option<GeoTags> {
    // A file that the reader of tags fails on has its error when it is decoded.
    contain(|| GeoTags::read(&mut Decoder::new(source).ok()?)).ok().flatten()
}

impl GeoTags {
    fn read<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Self> {
        // The tags place the pixels as they are stored, and results of such a file are turned.
        if decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten().is_some_and(|kind| kind > 1) {
            return None;
        }
        let mut numbers = |tag| decoder.get_tag_f64_vec(tag).unwrap_or_default();
        Some(Self {
            transformation: numbers(Tag::ModelTransformationTag),
            scale: numbers(Tag::ModelPixelScaleTag),
            tie_points: numbers(Tag::ModelTiepointTag),
            numbers: numbers(Tag::GeoDoubleParamsTag),
            keys: decoder.get_tag_u16_vec(Tag::GeoKeyDirectoryTag).unwrap_or_default(),
            text: decoder.get_tag_ascii_string(Tag::GeoAsciiParamsTag).unwrap_or_default(),
        })
    }

    /// The matrix of [`GeoReference`](super::GeoReference).
    pub fn matrix(&self) -> Option<[f64; 6]> {
        let mut matrix = match (&self.transformation[..], &self.scale[..], &self.tie_points[..]) {
            (&[a, b, _, c, d, e, _, f, ..], _, _) => [a, b, c, d, e, f],
            (_, &[sx, sy, ..], &[i, j, _, x, y, ..]) => [sx, 0.0, x - i * sx, 0.0, -sy, y + j * sy],
            _ => return None,
        };
        if self.key(RASTER_TYPE) == Some(2) {
            // The reference is the pixel's centre: the corner lies half a pixel before it.
            matrix[2] -= (matrix[0] + matrix[1]) / 2.0;
            matrix[5] -= (matrix[3] + matrix[4]) / 2.0;
        }
        sound(matrix)
    }

    /// The code of the coordinate system, where there is one.
    pub fn epsg(&self) -> Option<u16> {
        // The geographic system of a projection is its base, not that of the coordinates.
        self.code(if self.is_projected() { PROJECTED } else { GEOGRAPHIC })
    }

    fn is_projected(&self) -> bool {
        self.key(MODEL_TYPE).map_or(self.key(PROJECTED).is_some(), |kind| kind == 1)
    }

    fn code(&self, key: u16) -> Option<u16> {
        self.key(key).filter(|code| !NO_CODES.contains(code))
    }

    fn key(&self, wanted: u16) -> Option<u16> {
        let entry = self.keys.as_chunks::<4>().0.iter().skip(1).find(|e| e[0] == wanted && e[1] == 0);
        entry.map(|e| e[3])
    }

    /// Metres of a unit of the coordinates on the ground.
    pub fn metres(&self) -> Option<f64> {
        if !self.is_projected() || self.key(METHOD) == Some(MERCATOR) {
            return None;
        }
        let unit = match self.key(LINEAR_UNIT) {
            Some(9001) => Some(1.0),
            Some(9002) => Some(0.3048),
            Some(9003) => Some(1200.0 / 3937.0),
            Some(_) => return None,
            None => None,
        };
        metres_on_ground(self.code(PROJECTED), unit)
    }
}
