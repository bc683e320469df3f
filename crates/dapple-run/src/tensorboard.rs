//! Event files that TensorBoard reads: `events.out.tfevents.…`.
//!
//! The framing is TFRecord's (TensorFlow, `core/lib/io/record_writer.h`): length, its checksum, the bytes, their checksum;
//! checksums are CRC-32C, masked. The messages are the part of `event.proto` and `summary.proto` (field numbers are those of
//! the published files and never change) that numbers and pictures need.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use prost::Message;

use crate::error::RunError;
use dapple_base::{WriteError, clock};

/// One record of an event file.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    /// In the first record of a file.
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// Channels: 3 for red, green and blue.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    /// 1 is START, which makes readers forget what they have of this step and later ones.
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A picture for TensorBoard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoggedPicture {
    pub tag: String,
    pub size: (u32, u32),
    pub png: Vec<u8>,
}

/// The event file of a session. A resumed training begins a file of its own, as TensorBoard expects.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in `folder`, which is created if it is missing. Records of steps above `done` are cut off from older files:
    /// these steps are repeated.
    pub fn begin(folder: &Path, done: usize) -> Result<Self, RunError> {
        let failed = |path: &Path, source| RunError::from(WriteError::new(path.to_owned(), source));
        fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        let mut latest = 0;
        let mut resumed = done > 0;
        for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(rest) = name.strip_prefix(PREFIX) {
                let second = rest.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
                latest = u64::max(latest, second);
                resumed = true;
                cut(&entry.path(), done).map_err(|e| failed(&entry.path(), e))?;
            }
        }
        // Readers take files in the order of their names, whatever the clock says.
        let second = clock::now().max(latest + 1);
        let path = folder.join(format!("{PREFIX}{second:010}.dapple.{}.0", std::process::id()));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|source| failed(&path, source))?;
        let mut events = Self { path, file };
        events.append(Event { file_version: Some("brain.Event:2".into()), ..Event::default() })?;
        if resumed {
            let session_log = Some(SessionLog { status: 1 });
            events.append(Event { step: done as i64 + 1, session_log, ..Event::default() })?;
        }
        Ok(events)
    }

    /// Writes numbers and pictures of a step.
    pub fn write(
        &mut self,
        step: usize,
        scalars: &[(String, f64)],
        pictures: &[LoggedPicture],
    ) -> Result<(), RunError> {
        let scalars = scalars.iter().map(|(tag, value)| Value {
            tag: tag.clone(),
            simple_value: Some(*value as f32),
            image: None,
        });
        let pictures = pictures.iter().map(|picture| Value {
            tag: picture.tag.clone(),
            simple_value: None,
            image: Some(Image {
                height: picture.size.1 as i32,
                width: picture.size.0 as i32,
                colorspace: 3,
                encoded_image_string: picture.png.clone(),
            }),
        });
        let summary = Some(Summary { value: scalars.chain(pictures).collect() });
        self.append(Event { step: step as i64, summary, ..Event::default() })
    }

    fn append(&mut self, event: Event) -> Result<(), RunError> {
        let event = Event { wall_time: clock::now_exactly(), ..event };
        // One write a record: a crash leaves at most the last one unfinished, which readers pass over.
        self.file
            .write_all(&frame(&event.encode_to_vec()))
            .map_err(|source| RunError::from(WriteError::new(self.path.clone(), source)))
    }
}

const PREFIX: &str = "events.out.tfevents.";

/// Cuts off everything from the first record that is damaged or of a step above `done`.
fn cut(path: &Path, done: usize) -> std::io::Result<()> {
    let bytes = fs::read(path)?;
    let mut kept = 0;
    while let Some(data) = unframe(&bytes[kept..])
        && Event::decode(data).is_ok_and(|event| event.step <= done as i64)
    {
        kept += data.len() + 16;
    }
    if kept < bytes.len() { OpenOptions::new().write(true).open(path)?.set_len(kept as u64) } else { Ok(()) }
}

/// A record as it stands in the file.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length).to_le_bytes(), data, &masked_crc(data).to_le_bytes()].concat()
}

/// The data of the first record; `None` if it is not complete or damaged.
fn unframe(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (length_crc, rest) = rest.split_first_chunk::<4>()?;
    let (data, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let (data_crc, _) = rest.split_first_chunk::<4>()?;
    let whole = u32::from_le_bytes(*length_crc) == masked_crc(length)
        && u32::from_le_bytes(*data_crc) == masked_crc(data);
    whole.then_some(data)
}

/// A checksum that may itself be part of what is summed (`core/lib/hash/crc32c.h`).
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C, Castagnoli's polynomial, bit-reversed (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut crc = index as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc: u32, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that TensorBoard's own writer made; see `tests/golden/make.py`.
    const GOLDEN: &[u8] = include_bytes!("../tests/golden/tensorboard.tfevents");

    #[test]
    fn checksums_of_the_standard() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, rising.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_file_of_tensorboards_own_writer_is_read_and_written_again() {
        let (mut at, mut events) = (0, Vec::new());
        while let Some(data) = unframe(&GOLDEN[at..]) {
            let event = Event::decode(data).expect("a message");
            assert_eq!(frame(data), GOLDEN[at..at + data.len() + 16]);
            at += data.len() + 16;
            events.push(event);
        }
        assert_eq!(at, GOLDEN.len());
        let [version, scalar, image] = &events[..] else { panic!("{events:?}") };
        assert_eq!(version.file_version.as_deref(), Some("brain.Event:2"));
        let value = |event: &Event| event.summary.clone().expect("a summary").value[0].clone();
        assert_eq!((scalar.step, scalar.wall_time), (3, 1700000000.5));
        assert_eq!((value(scalar).tag.as_str(), value(scalar).simple_value), ("loss/val", Some(0.25)));
        assert_eq!(value(image).image.map(|i| (i.height, i.width, i.colorspace)), Some((2, 1, 3)));
        // Fields that are left out aside, the bytes are the same.
        assert_eq!(scalar.encode_to_vec(), unframe(&frame(&scalar.encode_to_vec())).expect("whole"));
    }

    #[test]
    fn what_will_be_done_again_is_cut_off() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let steps = |folder: &Path| {
            let mut files: Vec<PathBuf> =
                fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
            files.sort();
            let mut steps = Vec::new();
            for file in files {
                let bytes = fs::read(file).expect("a file");
                let mut at = 0;
                while let Some(data) = unframe(&bytes[at..]) {
                    at += data.len() + 16;
                    let event = Event::decode(data).expect("a message");
                    steps.extend(event.summary.map(|_| event.step));
                }
                assert_eq!(at, bytes.len(), "nothing is half written");
            }
            steps
        };
        let mut first = EventFile::begin(folder.path(), 0).expect("the folder is writable");
        (1..=4).for_each(|step| first.write(step, &[("loss/train".into(), 1.0)], &[]).expect("a write"));
        first.file.write_all(&[1, 2, 3]).expect("what a crash leaves");
        let mut second = EventFile::begin(folder.path(), 2).expect("the folder is writable");
        (3..=5).for_each(|step| second.write(step, &[("loss/train".into(), 1.0)], &[]).expect("a write"));
        assert_eq!(steps(folder.path()), [1, 2, 3, 4, 5]);
    }
}
