//! The files beside an image that place it: world files, which state the matrix, files `.prj`, which state the coordinate
//! system, and GDAL's files `.aux.xml`, which may state both.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dapple_base::read_regular;
use dapple_data::{DataError, is_turned};
use roxmltree::Document;

use crate::error::PredictError;

/// The largest of these files that is read, in bytes: GDAL's may hold histograms.
const LARGEST: u64 = 16 << 20;

/// The matrix of [`GeoReference`](super::GeoReference), and the coordinate system.
pub(super) type Place = ([f64; 6], Option<String>);

/// The place of an image file by the files beside it.
pub(super) fn read(path: &Path) -> Result<Option<Place>, PredictError> {
    let (matrix, system) = match described(path)? {
        (Some(matrix), system) => (matrix, system),
        (None, system) => match world(path)? {
            Some(matrix) => (matrix, system),
            None => return Ok(None),
        },
    };
    // An image that cannot be read has its error when it is decoded.
    if is_turned(path).unwrap_or(false) {
        return Ok(None);
    }
    let system = match system {
        Some(system) => Some(system),
        None => text(&path.with_extension("prj"))?.map(|text| text.trim().to_owned()),
    };
    Ok(Some((matrix, system.filter(|system| !system.is_empty()))))
}

/// The matrix and the coordinate system of GDAL's file; it may hold neither.
fn described(path: &Path) -> Result<(Option<[f64; 6]>, Option<String>), PredictError> {
    let mut name = OsString::from(path);
    name.push(".aux.xml");
    let Some(text) = text(Path::new(&name))? else { return Ok((None, None)) };
    // One that is damaged or of another program says nothing.
    let Ok(document) = Document::parse(&text) else { return Ok((None, None)) };
    let member = |name: &str| {
        let found = document.root_element().children().find(|node| node.has_tag_name(name));
        found.and_then(|node| node.text()).map(str::trim)
    };
    let matrix = member("GeoTransform").and_then(|text| {
        let numbers = text.split(',').map(|number| number.trim().parse().ok());
        let [x, xx, xy, y, yx, yy]: [f64; 6] = numbers.collect::<Option<Vec<f64>>>()?.try_into().ok()?;
        sound([xx, xy, x, yx, yy, y])
    });
    Ok((matrix, member("SRS").map(str::to_owned)))
}

/// The matrix of a world file.
fn world(path: &Path) -> Result<Option<[f64; 6]>, PredictError> {
    for name in world_names(path) {
        let Some(text) = text(&name)? else { continue };
        let numbers: Option<Vec<f64>> = text.split_whitespace().map(|number| number.parse().ok()).collect();
        let numbers: Option<[f64; 6]> = numbers.and_then(|numbers| numbers.try_into().ok());
        // To the centre of the first pixel, whose corner lies half a pixel before it.
        let matrix =
            numbers.and_then(|[a, d, b, e, x, y]| sound([a, b, x - (a + b) / 2.0, d, e, y - (d + e) / 2.0]));
        return match matrix {
            Some(matrix) => Ok(Some(matrix)),
            None => Err(PredictError::bad_file(
                &name,
                format!(
                    "it has the name of a world file of {}, but not its six numbers; correct it, or remove it to predict the \
                     image without a place",
                    path.display()
                ),
            )),
        };
    }
    Ok(None)
}

/// The names that a world file may have: `a.pgw`, `a.pngw` and `a.wld` for `a.png`, also in capitals.
fn world_names(path: &Path) -> Vec<PathBuf> {
    let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else {
        return Vec::new();
    };
    let lower = extension.to_lowercase();
    let mut ends = Vec::new();
    if let (Some(first), Some(last)) = (lower.chars().next(), lower.chars().last()) {
        ends.push(format!("{first}{last}w"));
    }
    ends.extend([format!("{lower}w"), "wld".to_owned()]);
    ends.iter()
        .flat_map(|end| [end.clone(), end.to_uppercase()])
        .map(|end| path.with_extension(end))
        .collect()
}

/// A matrix that maps the image to an area.
pub(super) fn sound(matrix: [f64; 6]) -> Option<[f64; 6]> {
    let [a, b, _, d, e, _] = matrix;
    (matrix.iter().all(|v| v.is_finite()) && a * e - b * d != 0.0).then_some(matrix)
}

/// The text of a file; `None` where there is none.
fn text(path: &Path) -> Result<Option<String>, PredictError> {
    match read_regular(path, LARGEST) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned())),
        // An image that is no file, or whose name leaves no room for another one.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
            ) =>
        {
            Ok(None)
        }
        Err(source) => Err(DataError::Read { path: path.to_owned(), source }.into()),
    }
}

/// The content of GDAL's file.
pub(super) fn description(m: [f64; 6], system: &str) -> String {
    let system: String = system.chars().filter(|letter| !letter.is_control()).collect();
    let system = system.replace('&', "&amp;").replace('<', "&lt;");
    let numbers = [m[2], m[0], m[1], m[5], m[3], m[4]].map(|v| v.to_string()).join(", ");
    format!("<PAMDataset>\n  <SRS>{system}</SRS>\n  <GeoTransform>{numbers}</GeoTransform>\n</PAMDataset>\n")
}
