//! The place of an image, wherever it stands.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::beside;
use super::crs::System;
use super::tags::{GeoTags, tags_of_file, tags_of_source};
use crate::error::PredictError;

/// The affine map from an image to the ground, and the coordinate system.
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
    /// The coordinate system as GIS programs read it: an EPSG code or well-known text.
    pub system: Option<String>,
    /// The tags of a TIFF file that state all this.
    pub(crate) tags: Option<Arc<GeoTags>>,
}

impl GeoReference {
    /// The place of an image file: by its tags, a file `.aux.xml`, or a world file with or without a file `.prj`. `None` for
    /// an image without any, and for one that is stored turned, whose pixels the place is of but not those of its results.
    ///
    /// # Errors
    /// [`PredictError::BadFile`] for a world file that is none.
    pub fn of_file(path: &Path) -> Result<Option<Self>, PredictError> {
        let tags = tags_of_file(path);
        if let Some(place) = tags.clone().and_then(Self::of_tags) {
            return Ok(Some(place));
        }
        Ok(beside::read(path)?.map(|(matrix, system)| {
            // Tags without a matrix may state the coordinate system.
            let code = || tags.as_ref().and_then(GeoTags::epsg).map(|code| format!("EPSG:{code}"));
            let system = system.or_else(code);
            let System { epsg, metres } = system.as_deref().map(System::of_text).unwrap_or_default();
            Self { matrix, epsg, metres, system, tags: None }
        }))
    }

    /// Whether a file is a TIFF file whose tags state its place.
    pub(crate) fn is_in_tags_of(path: &Path) -> bool {
        tags_of_file(path).and_then(Self::of_tags).is_some()
    }

    /// The place of a TIFF file in memory, by its tags.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        tags_of_source(std::io::Cursor::new(bytes)).and_then(Self::of_tags)
    }

    fn of_tags(tags: GeoTags) -> Option<Self> {
        let (matrix, epsg, metres) = (tags.matrix()?, tags.epsg(), tags.metres());
        let system = epsg.map(|code| format!("EPSG:{code}"));
        Some(Self { matrix, epsg, metres, system, tags: Some(Arc::new(tags)) })
    }

    /// Whether the tags of a TIFF file state it, so that its masks are TIFF files too.
    pub(crate) fn is_in_tags(&self) -> bool {
        self.tags.is_some()
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
    fn world_file(&self) -> String {
        let m = &self.matrix;
        let [x, y] = self.ground(0.5, 0.5);
        format!("{}\n{}\n{}\n{}\n{x}\n{y}\n", m[0], m[3], m[1], m[4])
    }

    /// The files that place a PNG file, for it has no tags for that, with their contents: a world file, and where the
    /// coordinate system is known, GDAL's file that names it.
    pub(crate) fn files_beside(&self, picture: &Path) -> Vec<(PathBuf, String)> {
        let [world, description] = Self::names_beside(picture);
        let mut files = vec![(world, self.world_file())];
        let system = self.system.as_ref();
        files.extend(system.map(|system| (description, beside::description(self.matrix, system))));
        files
    }

    /// The names of the files that may place a PNG file: a world file, and GDAL's file.
    pub(crate) fn names_beside(picture: &Path) -> [PathBuf; 2] {
        let mut description = picture.as_os_str().to_owned();
        description.push(".aux.xml");
        [picture.with_extension("pgw"), description.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_beside_an_image_place_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let put = |name: &str, text: &str| fs::write(at(name), text).expect("a file");
        let utm = "PROJCS[\"x & <y>\",PROJECTION[\"Transverse_Mercator\"],UNIT[\"metre\",1],AUTHORITY[\"EPSG\",\"32633\"]]";
        let world = "0.5\n0\n0\n-0.25\n300.25\n899.875\n";
        let matrix = [0.5, 0.0, 300.0, 0.0, -0.25, 900.0];
        assert_eq!(GeoReference::of_file(&at("a.png")).expect("nothing"), None);
        for (image, file) in [
            ("a.png", "a.pgw"),
            ("b.JPG", "b.JGW"),
            ("c.jpeg", "c.jpegw"),
            ("d.tif", "d.wld"),
            ("e.bmp", "e.bpw"),
        ] {
            put(file, world);
            let place = GeoReference::of_file(&at(image)).expect("a world file").expect(file);
            assert_eq!((place.matrix, place.epsg, place.system.as_deref()), (matrix, None, None), "{file}");
        }
        put("a.prj", utm);
        let place = GeoReference::of_file(&at("a.png")).expect("a world file").expect("a place");
        assert_eq!((place.epsg, place.metres, place.pixel_area()), (Some(32633), Some(1.0), Some(0.125)));
        // What is written for a result is read again.
        for (path, text) in place.files_beside(&at("out.png")) {
            fs::write(path, text).expect("a file");
        }
        assert!(at("out.pgw").is_file());
        fs::remove_file(at("out.pgw")).expect("it is there");
        assert_eq!(GeoReference::of_file(&at("out.png")).expect("a description"), Some(place));

        put("out.png.aux.xml", "<PAMDataset><Histograms/></PAMDataset>");
        assert_eq!(GeoReference::of_file(&at("out.png")).expect("statistics only"), None);
        for bad in ["", "1 0 0 1", "0\n0\n0\n0\n1\n2\n", "a b c d e f", "1 0 0 1 2 nan"] {
            put("a.pgw", bad);
            let error = GeoReference::of_file(&at("a.png")).expect_err(bad).to_string();
            assert!(error.contains("a.pgw") && error.contains("six numbers"), "{error}");
        }
    }
}
