//! The largest value of a PNM file's header, by which the general decoder stretches the values.

/// The value of white of a PGM, PPM or PAM file; `None` for other files.
pub(crate) fn white(bytes: &[u8]) -> Option<u16> {
    let numbers = match bytes.get(..2)? {
        b"P2" | b"P3" | b"P5" | b"P6" => 3,
        b"P7" => return white_of_pam(bytes),
        _ => return None,
    };
    // Width, height and white, between spaces and comments.
    let mut rest = &bytes[2..];
    let mut last = None;
    for _ in 0..numbers {
        while let Some(&byte) = rest.first() {
            match byte {
                b'#' => rest = &rest[rest.iter().position(|&b| b == b'\n')?..],
                byte if byte.is_ascii_whitespace() => rest = &rest[1..],
                _ => break,
            }
        }
        let end = rest.iter().position(|b| !b.is_ascii_digit())?;
        last = std::str::from_utf8(&rest[..end]).ok();
        rest = &rest[end..];
    }
    last?.parse().ok().filter(|&white| white > 0)
}

/// Behind `MAXVAL` in one of the lines before `ENDHDR`.
fn white_of_pam(bytes: &[u8]) -> Option<u16> {
    let lines = bytes.split(|&b| b == b'\n').take_while(|line| !line.starts_with(b"ENDHDR"));
    let line = lines.take(64).find_map(|line| line.strip_prefix(b"MAXVAL"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok().filter(|&white| white > 0)
}

/// Values as they were before the decoder stretched them to `full`.
pub(crate) fn unstretch(values: &mut [u16], white: u16, full: u16) {
    let (white, full) = (u32::from(white), u32::from(full));
    for value in values {
        *value = ((u32::from(*value) * white + full / 2) / full) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::white;

    #[test]
    fn the_white_of_a_header() {
        assert_eq!(white(b"P5\n# by hand\n3 2 # more\n15\n"), Some(15));
        assert_eq!(white(b"P2 3 2 1000\n0 1"), Some(1000));
        assert_eq!(white(b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 1\nMAXVAL 3\nTUPLTYPE GRAYSCALE\nENDHDR\n"), Some(3));
        for other in [&b"P4 3 2\n"[..], b"P5 3 2", b"P5 3 2 0\n", b"\x89PNG", b""] {
            assert_eq!(white(other), None, "{other:?}");
        }
    }
}
