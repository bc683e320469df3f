//! Whether a file holds an animation, of which the decoders give the first picture only.

/// Whether a PNG or WebP file says that it is an animation of several pictures.
pub(crate) fn is_animation(bytes: &[u8]) -> bool {
    match bytes {
        [0x89, b'P', b'N', b'G', _, _, _, _, chunks @ ..] => frames(chunks).is_some_and(|frames| frames > 1),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            b'V',
            b'P',
            b'8',
            b'X',
            _,
            _,
            _,
            _,
            flags,
            ..,
        ] => flags & 2 != 0,
        _ => false,
    }
}

/// The number of pictures by the chunk `acTL`, which stands before the pixels.
fn frames(mut chunks: &[u8]) -> Option<u32> {
    while let Some((length, rest)) = chunks.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        match rest.get(..4)? {
            b"acTL" => return rest.get(4..8)?.try_into().ok().map(u32::from_be_bytes),
            b"IDAT" => return None,
            // The name, the content and the checksum.
            _ => chunks = rest.get(length.checked_add(8)?..)?,
        }
    }
    None
}
