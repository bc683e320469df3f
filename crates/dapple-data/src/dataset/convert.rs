//! Writing a data set as the canonical folder: `images/`, `masks/` with class indices and a palette, `classes.toml`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

use crate::dataset::samples::Dataset;
use crate::error::{DataError, Result};
use crate::format::class_table::to_toml;
use crate::format::found::{UNASSIGNED, UNFINISHED};
use crate::format::walk::{EXTENSIONS, bad_file, entries, inside};
use crate::image::decode::{decode_dynamic, image_header, read_file};
use crate::image::encode::{encode_png, write_indexed_png};
use crate::image::orientation::UPRIGHT;
use crate::image::raster::Channels;
use crate::parallel::in_parallel;
use dapple_base::{Digest, Shard, WriteError, remove_leftovers, write_atomic};

impl Dataset {
    /// Writes the data set to `out` as a folder that every program reads: `images/` with the files as they are,
    /// `masks/` with the labels as palette PNG, below `train/`, `val/` and `test/` where there are parts, and `classes.toml`.
    ///
    /// While it is written the folder holds a file `unfinished-conversion.json`, with which no program takes it for a data
    /// set; a conversion that was killed is finished by running it again.
    ///
    /// Nothing is lost: image files are copied; those that are to be turned by their EXIF data, which other programs may
    /// overlook, are decoded, turned and written as PNG.
    ///
    /// # Errors
    /// [`DataError::BadFile`] if `out` is not empty, those of reading and decoding, [`DataError::Write`].
    pub fn convert(&self, out: impl AsRef<Path>) -> Result<()> {
        self.convert_share(out.as_ref(), None).map(drop)
    }

    /// As [`Dataset::convert`], of the samples whose names are in a share. Several machines may write their shares into one folder
    /// at the same time; the last one completes it. Returns whether the folder is complete.
    ///
    /// # Errors
    /// Those of [`Dataset::convert`].
    pub fn convert_share(&self, out: &Path, shard: Option<Shard>) -> Result<bool> {
        let marker = out.join(UNFINISHED);
        let fingerprint = format!("{{\"data\": \"{}\"}}\n", self.contents());
        if out.is_dir() {
            remove_leftovers(out);
            match fs::read_to_string(&marker) {
                Ok(text) if text == fingerprint => {}
                Ok(_) => {
                    let problem = "the folder holds the unfinished conversion of other data; delete it, or name a new one";
                    return Err(bad_file(out, problem));
                }
                Err(_) if entries(out)?.is_empty() => {}
                Err(_) => return Err(bad_file(out, "the folder is not empty; name a new one")),
            }
        }
        make_folder(&marker)?;
        write_atomic(&marker, fingerprint.as_bytes())?;
        let has_parts = (0..self.len()).any(|index| self.part(index).is_some());
        let held = |index: &usize| shard.is_none_or(|shard| shard.holds(self.name(*index)));
        let share: Vec<usize> = (0..self.len()).filter(held).collect();
        let written = in_parallel(share.len(), |place| self.convert_sample(share[place], out, has_parts));
        written.into_iter().collect::<Result<()>>()?;
        if let Some(shard) = shard {
            write_atomic(done(out, shard), fingerprint.as_bytes())?;
            let is_done =
                |share: Shard| fs::read_to_string(done(out, share)).is_ok_and(|text| text == fingerprint);
            if !shares(shard).all(is_done) {
                return Ok(false);
            }
        }
        write_atomic(out.join("classes.toml"), to_toml(self.classes(), self.ignore()).as_bytes())?;
        match fs::remove_file(&marker) {
            // Another share that ended at the same moment has completed the folder too.
            Err(source) if !(shard.is_some() && source.kind() == ErrorKind::NotFound) => {
                return Err(WriteError::new(marker, source).into());
            }
            _ => {}
        }
        for share in shard.into_iter().flat_map(shares) {
            // Hidden and of no more use; one that stays harms nobody.
            let _ = fs::remove_file(done(out, share));
        }
        Ok(true)
    }

    /// Differs for other samples, classes or labels, by what is known without reading the files again.
    fn contents(&self) -> String {
        let mut digest = Digest::new();
        digest.part(format!("{:?} {:?}", self.classes(), self.ignore()).as_bytes());
        for index in 0..self.len() {
            let (name, part, size) = (self.name(index), self.part(index), self.size(index));
            digest.part(format!("{name:?} {part:?} {size:?} {:?}", self.label_counts(index)).as_bytes());
        }
        digest.text()
    }

    fn convert_sample(&self, index: usize, out: &Path, has_parts: bool) -> Result<()> {
        let name = match self.part(index) {
            None if has_parts => format!("{UNASSIGNED}/{}", self.name(index)),
            _ => self.name(index).to_owned(),
        };
        let path = |folder: &str, extension: &str| {
            let file = format!("{name}.{extension}");
            let path = inside(out, &out.join(folder), &file);
            path.ok_or_else(|| bad_file(out, format!("the sample `{name}` would be written outside of it")))
        };
        let mask = path("masks", "png")?;
        // The image is written last.
        let written = |extension: &&str| path("images", extension).is_ok_and(|image| image.is_file());
        if mask.is_file() && EXTENSIONS.iter().any(written) {
            return Ok(());
        }
        let labels = self.labels(index)?;
        make_folder(&mask)?;
        let (width, height) = (labels.width as u32, labels.height as u32);
        write_indexed_png(mask, width, height, &labels.labels, &self.classes().colours)?;

        let (extension, bytes) = self.image_bytes(index)?;
        let image = path("images", &extension)?;
        make_folder(&image)?;
        Ok(write_atomic(image, &bytes)?)
    }

    /// The image as a file that needs no turning: its extension and its bytes.
    fn image_bytes(&self, index: usize) -> Result<(String, Vec<u8>)> {
        let Some(path) = self.image_path(index) else {
            return Ok(("png".into(), encode_png(&self.image(index, Channels::Rgb)?)?));
        };
        let bytes = read_file(path)?;
        if image_header(path)?.orientation != UPRIGHT {
            let (image, _) = decode_dynamic(&bytes, path)?;
            return Ok(("png".into(), encode_exactly(&image, path)?));
        }
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let known = EXTENSIONS.contains(&extension.as_str());
        Ok((if known { extension } else { "png".into() }, bytes))
    }
}

/// All shares of a division.
fn shares(of: Shard) -> impl Iterator<Item = Shard> {
    (1..=of.count()).filter_map(move |number| Shard::new(number, of.count()).ok())
}

/// The hidden file that says that a share is written.
fn done(out: &Path, shard: Shard) -> PathBuf {
    out.join(format!(".converted{}", shard.suffix()))
}

/// A PNG with the depth and the channels of the image.
fn encode_exactly(image: &DynamicImage, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = image.write_to(&mut bytes, ImageFormat::Png);
    written.map_err(|e| DataError::Decode { path: path.to_owned(), reason: e.to_string() })?;
    Ok(bytes.into_inner())
}

fn make_folder(file: &Path) -> Result<()> {
    let folder: PathBuf = file.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(&folder).map_err(|source| WriteError::new(folder, source).into())
}
