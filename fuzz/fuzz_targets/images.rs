//! Whatever bytes an image file has, decoding it ends with a raster of the channels asked for or an error.
#![no_main]

use dapple_data::decode_image_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for channels in [1, 3, 5] {
        let Ok(image) = decode_image_bytes(bytes, "image", channels) else { continue };
        assert!(image.width > 0 && image.height > 0);
        assert_eq!(image.channels, channels);
        assert_eq!(image.data.len(), image.width * image.height * channels);
    }
});
