//! Writing files so that a reader never sees half of one, and PNGs whose pixels are class indices.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use image::ImageEncoder;
use image::codecs::png::PngEncoder;

use crate::error::{DataError, Result};
use crate::image_file::Raster;

/// Writes `bytes` to `path` in one step: to a temporary name in the same folder, flushed to the disk, then renamed.
///
/// A crash at any moment leaves the old file or the new one, never a part. The folder must exist.
///
/// # Errors
/// [`DataError::Write`]; the temporary file is removed.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let temporary = temporary_name(path);
    let written = write_and_rename(&temporary, path, bytes);
    if written.is_err() {
        // The first error is the one to report; a leftover that cannot be removed changes nothing about it.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(|source| DataError::Write { path: path.to_owned(), source })
}

/// A file that is written piece by piece and appears under its name only when it is complete.
///
/// The bytes go to a temporary name beside `path`, which is removed where the writing is given up.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    /// Gone after [`AtomicFile::commit`].
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Begins to write a file. The folder must exist.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let temporary = temporary_name(&path);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => Ok(Self { path, temporary, writer: Some(BufWriter::new(file)) }),
            Err(source) => Err(DataError::Write { path, source }),
        }
    }

    /// The name that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to the disk and gives it its name; an older file of the name is replaced.
    ///
    /// # Errors
    /// [`DataError::Write`]; the temporary file is removed.
    pub fn commit(mut self) -> Result<()> {
        let committed = (|| {
            if let Some(writer) = self.writer.take() {
                writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            }
            fs::rename(&self.temporary, &self.path)?;
            sync_folder(&self.path);
            Ok(())
        })();
        // The drop below removes what was not renamed.
        committed.map_err(|source| DataError::Write { path: self.path.clone(), source })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After a commit there is nothing of this name; a leftover that cannot be removed is no error of its own.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    sync_folder(path);
    Ok(())
}

/// Makes the rename itself durable where the system can; not all file systems let a folder be synced.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// A name beside `path` that no other thread or process of this machine uses.
fn temporary_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

/// Encodes a label map as an 8-bit palette PNG: the pixel values are the labels, the palette their colours.
///
/// `labels` is `[height, width]`, `palette[k]` the colour of label `k`. Labels beyond the palette (an ignore label of
/// 255, say) are shown white: the palette is lengthened to reach them.
///
/// # Errors
/// [`DataError::Setting`] where `labels` has not `width * height` values, a side is 0, or the palette is longer than 256.
pub fn encode_indexed_png(width: u32, height: u32, labels: &[u8], palette: &[[u8; 3]]) -> Result<Vec<u8>> {
    if width == 0 || height == 0 || labels.len() as u64 != u64::from(width) * u64::from(height) {
        let value = format!("{} labels for {width} x {height}", labels.len());
        return Err(DataError::setting("label map size", value, "one label for each of at least one pixel"));
    }
    if palette.len() > 256 {
        return Err(DataError::setting(
            "palette length",
            palette.len(),
            "a PNG palette has at most 256 colours",
        ));
    }
    let largest = labels.iter().copied().max().map_or(0, usize::from);
    let mut colours = palette.as_flattened().to_vec();
    colours.resize(colours.len().max(3 * (largest + 1)), 255);

    let mut bytes = Vec::new();
    let encoded = (|| {
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        // Differences between indices mean nothing, so that filters would only hide the runs from the compressor.
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_palette(Cow::from(colours));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(labels)?;
        writer.finish()
    })();
    encoded.map_err(|e: png::EncodingError| DataError::setting("PNG", e, "a label map that PNG can hold"))?;
    Ok(bytes)
}

/// Encodes an image as an 8-bit grey or RGB PNG.
///
/// # Errors
/// [`DataError::Setting`] where the raster has sides that PNG cannot hold.
pub fn encode_png(image: &Raster) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let colour =
        if image.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    PngEncoder::new(&mut bytes)
        .write_image(&image.data, image.width as u32, image.height as u32, colour)
        .map_err(|e| DataError::setting("PNG", e, "an image that PNG can hold"))?;
    Ok(bytes)
}

/// Writes a label map as an indexed PNG, see [`encode_indexed_png`], with [`write_atomic`].
///
/// # Errors
/// Those of the two.
pub fn write_indexed_png(
    path: impl AsRef<Path>,
    width: u32,
    height: u32,
    labels: &[u8],
    palette: &[[u8; 3]],
) -> Result<()> {
    write_atomic(path, &encode_indexed_png(width, height, labels, palette)?)
}
