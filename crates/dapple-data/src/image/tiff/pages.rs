//! The pages of a TIFF file, counted without reading them: of each, the first entries of its directory are enough.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

/// Pages that are looked at.
const MOST_PAGES: usize = 4096;
/// Entries that are looked at of a page, more than most pages have. They stand in the order of their tags, and those wanted
/// are the first.
const MOST_ENTRIES: u64 = 64;
/// The tags that say of what kind a page is, and its sides.
const KIND: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
/// Bits of the kind: a reduced copy, and a mask of transparency.
const REDUCED: u64 = 1;
const MASK: u64 = 4;
/// Pages up to a mask: more than there are reduced copies.
const MOST_BEFORE_MASK: usize = 64;

/// The pages of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pages {
    /// The number of pages that are about as large as the first or larger, itself included. Reduced copies, which have half its
    /// sides or less where they do not say what they are, and masks do not count.
    pub count: usize,
    /// The number of the page that says which pixels of the first are there, counted from 0.
    pub mask: Option<usize>,
}

/// Looks at the pages of a file whose first one has this width and height.
pub(super) fn look<R: Read + Seek>(source: &mut R, (width, height): (u64, u64)) -> Pages {
    let mut pages = Pages { count: 1, mask: None };
    // A damaged page behind the image is no reason to refuse the image.
    let Ok(Some((layout, first))) = Layout::read(source) else { return pages };
    let mut seen = HashSet::from([first]);
    let mut next = layout.page(source, first).map(|page| page.next);
    while let Ok(place) = next {
        if place == 0 || seen.len() > MOST_PAGES || !seen.insert(place) {
            break;
        }
        let Ok(page) = layout.page(source, place) else { break };
        if page.kind & (REDUCED | MASK) == 0 && page.width > width / 2 && page.height > height / 2 {
            pages.count += 1;
        }
        let is_mask = page.kind & (REDUCED | MASK) == MASK && (page.width, page.height) == (width, height);
        if is_mask && seen.len() <= MOST_BEFORE_MASK {
            pages.mask.get_or_insert(seen.len() - 1);
        }
        next = Ok(page.next);
    }
    pages
}

/// How numbers stand in the file.
#[derive(Debug, Clone, Copy)]
struct Layout {
    big_endian: bool,
    /// BigTIFF, whose counts and places have 64 bits.
    big: bool,
}

/// What is needed of a page.
#[derive(Debug, Default)]
struct Page {
    kind: u64,
    width: u64,
    height: u64,
    /// The place of the next page; 0 after the last.
    next: u64,
}

impl Layout {
    /// The layout, and the place of the first page.
    fn read<R: Read + Seek>(source: &mut R) -> io::Result<Option<(Self, u64)>> {
        let mut head = [0; 16];
        source.seek(SeekFrom::Start(0))?;
        source.read_exact(&mut head[..8])?;
        let layout = |big_endian, big| Self { big_endian, big };
        let layout = match head {
            [b'I', b'I', 42, 0, ..] => layout(false, false),
            [b'M', b'M', 0, 42, ..] => layout(true, false),
            [b'I', b'I', 43, 0, ..] => layout(false, true),
            [b'M', b'M', 0, 43, ..] => layout(true, true),
            _ => return Ok(None),
        };
        if layout.big {
            source.read_exact(&mut head[8..])?;
        }
        let first = if layout.big { &head[8..16] } else { &head[4..8] };
        Ok(Some((layout, layout.number(first))))
    }

    fn page<R: Read + Seek>(self, source: &mut R, place: u64) -> io::Result<Page> {
        let (count_bytes, entry_bytes, place_bytes) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let mut buffer = [0; 8];
        source.seek(SeekFrom::Start(place))?;
        source.read_exact(&mut buffer[..count_bytes])?;
        let count = self.number(&buffer[..count_bytes]);
        let mut entries = vec![0; (count.min(MOST_ENTRIES) * entry_bytes) as usize];
        source.read_exact(&mut entries)?;
        let mut page = Page::default();
        for entry in entries.chunks_exact(entry_bytes as usize) {
            // A tag, a type, a count, and in the rest the value.
            let value = &entry[entry_bytes as usize - place_bytes..];
            let value = match self.number(&entry[2..4]) {
                3 => self.number(&value[..2]),
                4 => self.number(&value[..4]),
                _ => self.number(value),
            };
            match self.number(&entry[..2]) as u16 {
                KIND => page.kind = value,
                WIDTH => page.width = value,
                HEIGHT => page.height = value,
                _ => {}
            }
        }
        let next =
            count.checked_mul(entry_bytes).and_then(|bytes| bytes.checked_add(place + count_bytes as u64));
        source.seek(SeekFrom::Start(next.ok_or(io::ErrorKind::InvalidData)?))?;
        source.read_exact(&mut buffer[..place_bytes])?;
        page.next = self.number(&buffer[..place_bytes]);
        Ok(page)
    }

    /// A whole number of 2, 4 or 8 bytes.
    fn number(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Pages of these sides, each with so many entries.
    fn file(sides: &[u64], entries: u64, layout: Layout) -> Vec<u8> {
        let Layout { big_endian, big } = layout;
        let mut bytes = Vec::new();
        let put = |bytes: &mut Vec<u8>, value: u64, length: usize| match big_endian {
            true => bytes.extend(&value.to_be_bytes()[8 - length..]),
            false => bytes.extend(&value.to_le_bytes()[..length]),
        };
        bytes.extend(if big_endian { b"MM" } else { b"II" });
        put(&mut bytes, if big { 43 } else { 42 }, 2);
        let (count_bytes, entry_bytes, place_bytes) = if big { (8, 20, 8) } else { (2, 12, 4) };
        if big {
            put(&mut bytes, 8, 2);
            put(&mut bytes, 0, 2);
        }
        let first = bytes.len() as u64 + place_bytes as u64;
        put(&mut bytes, first, place_bytes);
        let page_bytes = count_bytes as u64 + entries * entry_bytes + place_bytes as u64;
        for (number, &side) in (1..).zip(sides) {
            put(&mut bytes, entries, count_bytes);
            for tag in (0..entries).map(|entry| 256 + entry) {
                put(&mut bytes, tag, 2);
                put(&mut bytes, 4, 2);
                put(&mut bytes, 1, place_bytes);
                let start = bytes.len();
                put(&mut bytes, side, 4);
                bytes.resize(start + place_bytes, 0);
            }
            let next = if number == sides.len() as u64 { 0 } else { first + number * page_bytes };
            put(&mut bytes, next, place_bytes);
        }
        bytes
    }

    #[test]
    fn pages_of_the_size_of_the_first_count() {
        for big_endian in [false, true] {
            for big in [false, true] {
                let layout = Layout { big_endian, big };
                let bytes = file(&[100, 50, 51, 300, 20], 12, layout);
                let found = look(&mut Cursor::new(bytes), (100, 100));
                assert_eq!(found, Pages { count: 3, mask: None }, "{layout:?}");
            }
        }
    }

    /// Counts the bytes that are read.
    struct Counted(Cursor<Vec<u8>>, u64);

    impl Read for Counted {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(to)?;
            self.1 += read as u64;
            Ok(read)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn counting_reads_little_of_directories_that_lie_over_each_other() {
        // Every fourth byte begins a directory of 0x0808 entries, which is a part of those before it and leads to the next one.
        let layout = Layout { big_endian: false, big: false };
        let mut bytes = file(&[8; 2], 1, layout);
        bytes.resize(1 << 20, 8);
        for number in 0..5000_u32 {
            let at = 64 + 4 * number as usize;
            let next = at + 2 + 12 * 0x0808;
            bytes[next..next + 4].copy_from_slice(&(64 + 4 * (number + 1)).to_le_bytes());
        }
        let second = 8 + 2 + 12 + 4;
        bytes[second - 4..second].copy_from_slice(&64_u32.to_le_bytes());
        let mut source = Counted(Cursor::new(bytes), 0);
        look(&mut source, (8, 8));
        assert!(source.1 < 4 << 20, "{} bytes were read", source.1);
    }
}
