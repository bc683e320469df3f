//! TIFF files of any kind for tests: one strip, little-endian.

/// A file in the making; the default is 8-bit grey, not compressed.
#[derive(Clone)]
pub struct Tiff {
    pub width: u32,
    pub height: u32,
    pub samples: u16,
    pub bits: u16,
    /// 1 unsigned, 2 signed, 3 floating-point.
    pub format: u16,
    pub photometric: u16,
    pub compression: u16,
    /// How values are stored as differences; 1 is not at all.
    pub predictor: u16,
    /// The kinds of extra samples.
    pub extra: Vec<u16>,
    pub nodata: Option<&'static str>,
    /// Red, then green, then blue of all indices, 16 bits each.
    pub palette: Vec<u16>,
    /// The kind of the page.
    pub page: u32,
}

impl Tiff {
    pub fn grey(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            samples: 1,
            bits: 8,
            format: 1,
            photometric: 1,
            compression: 1,
            predictor: 1,
            extra: Vec::new(),
            nodata: None,
            palette: Vec::new(),
            page: 0,
        }
    }

    /// The bytes of a file with these strip data.
    pub fn file(&self, data: &[u8]) -> Vec<u8> {
        pages(&[(self.clone(), data.to_vec())])
    }
}

/// A file of several pages.
pub fn pages(pages: &[(Tiff, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for (page, data) in pages {
        let mut put = |bytes: &[u8]| {
            let at = file.len() as u32;
            file.extend(bytes);
            file.extend(vec![0; bytes.len() % 2]);
            at
        };
        let strip = put(data);
        let shorts = |values: &[u16]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        // Tag, type (2 text, 3 short, 4 long), count, bytes.
        let mut entries: Vec<(u16, u16, u32, Vec<u8>)> = vec![
            (254, 4, 1, page.page.to_le_bytes().to_vec()),
            (256, 4, 1, page.width.to_le_bytes().to_vec()),
            (257, 4, 1, page.height.to_le_bytes().to_vec()),
            (258, 3, page.samples.into(), shorts(&vec![page.bits; page.samples.into()])),
            (259, 3, 1, shorts(&[page.compression])),
            (262, 3, 1, shorts(&[page.photometric])),
            (273, 4, 1, strip.to_le_bytes().to_vec()),
            (277, 3, 1, shorts(&[page.samples])),
            (278, 4, 1, page.height.to_le_bytes().to_vec()),
            (279, 4, 1, (data.len() as u32).to_le_bytes().to_vec()),
            (339, 3, page.samples.into(), shorts(&vec![page.format; page.samples.into()])),
        ];
        if !page.palette.is_empty() {
            entries.push((320, 3, page.palette.len() as u32, shorts(&page.palette)));
        }
        if page.predictor != 1 {
            entries.push((317, 3, 1, shorts(&[page.predictor])));
        }
        if !page.extra.is_empty() {
            entries.push((338, 3, page.extra.len() as u32, shorts(&page.extra)));
        }
        if let Some(text) = page.nodata {
            let text = format!("{text}\0").into_bytes();
            entries.push((42113, 2, text.len() as u32, text));
        }
        entries.sort_by_key(|entry| entry.0);
        let values: Vec<[u8; 4]> = entries
            .iter()
            .map(|(_, _, _, bytes)| match bytes.len() {
                0..=4 => std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0)),
                _ => put(bytes).to_le_bytes(),
            })
            .collect();
        let directory = file.len() as u32;
        file[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        file.extend((entries.len() as u16).to_le_bytes());
        for ((tag, kind, count, _), value) in entries.iter().zip(values) {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(count.to_le_bytes());
            file.extend(value);
        }
        link = file.len();
        file.extend([0; 4]);
    }
    file
}
