//! Images that are read row by row.

use std::fs;
use std::io::Cursor;

use dapple_data::Channels;
use dapple_predict::source::open_rows;
use tiff::encoder::{Compression, TiffEncoder, colortype};

/// Wider images are opened but not read, which would only be slow.
const READ_BYTES: usize = 1 << 22;

/// Reading every row ends with rows or with an error, and so does reading again from the top.
pub(crate) fn tiff_rows(bytes: &[u8]) {
    thread_local!(static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a temporary folder"));
    FOLDER.with(|folder| {
        let path = folder.path().join("image.tif");
        fs::write(&path, bytes).expect("the folder is writable");
        let Ok(Some(mut source)) = open_rows(&path, &Channels::Rgb.into()) else { return };
        let (width, height, channels) = (source.width(), source.height(), source.channels());
        assert!(width > 0 && height > 0 && channels > 0);
        if width.saturating_mul(channels).saturating_mul(height) > READ_BYTES {
            return;
        }
        let (mut row, mut coverage) = (vec![0; width * channels], vec![0; width]);
        for _ in 0..2 {
            for _ in 0..height {
                if source.next_row(&mut row, &mut coverage).is_err() {
                    return;
                }
            }
            if source.rewind().is_err() {
                return;
            }
        }
    });
}

/// Strips of one row and of all rows, plain and compressed, 8 and 16 bits.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let rgb: Vec<u8> = (0..9 * 7 * 3).map(|i| (i * 37 % 251) as u8).collect();
    let grey: Vec<u16> = (0..9 * 7).map(|i| i * 997).collect();
    let mut seeds = Vec::new();
    for (rows, compression) in
        [(1, Compression::Uncompressed), (7, Compression::Uncompressed), (3, Compression::Lzw)]
    {
        let mut file = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file).expect("memory").with_compression(compression);
        let mut image = encoder.new_image::<colortype::RGB8>(9, 7).expect("a small image");
        image.rows_per_strip(rows).expect("no strip is written yet");
        image.write_data(&rgb).expect("as many values as the size says");
        seeds.push(file.into_inner());
    }
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).expect("memory");
    encoder.write_image::<colortype::Gray16>(9, 7, &grey).expect("as many values as the size says");
    seeds.push(file.into_inner());
    seeds
}
