//! Text of programs that write in the encoding of their system instead of UTF-8.

use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, SHIFT_JIS, WINDOWS_1252};

/// The texts in the one encoding in which all of them can be read and the most `fit`, with its name.
pub(super) fn decode<'a>(
    bytes: impl Iterator<Item = &'a [u8]> + Clone,
    fits: impl Fn(usize, &str) -> bool,
) -> Option<(&'static str, Vec<String>)> {
    let mut best: Option<(usize, &'static str, Vec<String>)> = None;
    // With the names that people know, the most usual first; the last one reads any bytes.
    let encodings: [(&Encoding, &'static str); 5] = [
        (GB18030, "GBK"),
        (SHIFT_JIS, "Shift JIS"),
        (EUC_KR, "EUC-KR"),
        (BIG5, "Big5"),
        (WINDOWS_1252, "Windows-1252"),
    ];
    for (encoding, name) in encodings {
        let decode = |bytes: &[u8]| {
            Some(encoding.decode_without_bom_handling_and_without_replacement(bytes)?.into_owned())
        };
        let Some(texts) = bytes.clone().map(decode).collect::<Option<Vec<String>>>() else { continue };
        let fitting = texts.iter().enumerate().filter(|(i, text)| fits(*i, text)).count();
        if best.as_ref().is_none_or(|(most, ..)| fitting > *most) {
            best = Some((fitting, name, texts));
        }
    }
    best.map(|(_, name, texts)| (name, texts))
}
