//! Whether a file holds an animation, of which the decoders give the first picture only.

/// The problem of an animation.
pub(crate) const SEVERAL_PICTURES: &str = "it is an animation, and nothing says which of its pictures is meant; save the wanted \
                                           one as a file of its own";

/// Whether a PNG, GIF or WebP file says that it is an animation of several pictures.
pub(crate) fn is_animation(bytes: &[u8]) -> bool {
    match bytes {
        [0x89, b'P', b'N', b'G', _, _, _, _, chunks @ ..] => frames(chunks).is_some_and(|frames| frames > 1),
        [b'G', b'I', b'F', b'8', _, b'a', rest @ ..] => gif_pictures(rest) > 1,
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

/// The number of pictures of a GIF, or two of more; `rest` follows the signature.
fn gif_pictures(rest: &[u8]) -> usize {
    let table = |flags: u8| -> usize { if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) } };
    let Some(&flags) = rest.get(4) else { return 0 };
    let (mut at, mut pictures) = (7 + table(flags), 0);
    while pictures < 2 {
        // To the first of the blocks of data, each of which has its length before it.
        at += match (rest.get(at), rest.get(at + 9)) {
            (Some(0x21), _) => 2,
            (Some(0x2c), Some(&flags)) => {
                pictures += 1;
                11 + table(flags)
            }
            _ => break,
        };
        while let Some(&length) = rest.get(at) {
            at += 1 + usize::from(length);
            if length == 0 {
                break;
            }
        }
    }
    pictures
}
