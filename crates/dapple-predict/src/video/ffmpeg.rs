//! The ffmpeg processes on the other ends of the pipes.

use std::ffi::OsString;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use dapple_base::AtomicFile;
use dapple_data::Raster;

use super::facts::Facts;
use crate::error::PredictError;

/// The largest side of a frame in pixels.
const SIDE_LIMIT: usize = 1 << 14;

/// The size and the rate of a video's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Width in pixels, upright.
    pub width: usize,
    /// Height in pixels, upright.
    pub height: usize,
    /// Frames a second, as a fraction.
    pub rate: (u32, u32),
}

/// The pixel format of the frames that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    Rgb,
    Rgba,
}

/// Asks ffmpeg to describe a file. It knows nothing where ffmpeg says nothing.
pub(super) fn describe(ffmpeg: &Path, input: &Path) -> Result<Facts, PredictError> {
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-i"]).arg(named(input));
    let mut running = Running::start(command)?;
    // Without an output it ends by itself, with the description on standard error and a code that says nothing.
    let mut stdout = running.stdout()?;
    let _ = std::io::copy(&mut stdout, &mut std::io::sink());
    Ok(Facts::read(&running.messages()))
}

/// Asks ffmpeg for the first frame as YUV4MPEG2, whose header gives size and rate of the frames.
pub(super) fn probe(ffmpeg: &Path, input: &Path) -> Result<Stream, PredictError> {
    let mut command = quiet(ffmpeg);
    command.arg("-i").arg(named(input)).args([
        "-map",
        "0:v:0",
        "-frames:v",
        "1",
        "-f",
        "yuv4mpegpipe",
        "-pix_fmt",
        "yuv444p",
        "-",
    ]);
    let mut running = Running::start(command)?;
    let mut head = Vec::new();
    let mut stdout = running.stdout()?;
    // The header is a line of some hundred bytes.
    let mut byte = [0];
    while head.len() < 4096 && matches!(stdout.read(&mut byte), Ok(1)) && byte[0] != b'\n' {
        head.push(byte[0]);
    }
    // The rest is read, so that the program ends by itself.
    let rest = std::io::copy(&mut stdout, &mut std::io::sink());
    let ended = running.end();
    let stream = parse_head(&String::from_utf8_lossy(&head));
    match (stream, ended, rest) {
        (Some(stream), ..) => Ok(stream),
        (None, Err(error), _) => Err(error),
        (None, Ok(()), _) => Err(PredictError::bad_file(input, "ffmpeg finds no video in this file")),
    }
}

/// `YUV4MPEG2 W640 H360 F25:1 …`.
fn parse_head(head: &str) -> Option<Stream> {
    let mut words = head.split_ascii_whitespace();
    if words.next() != Some("YUV4MPEG2") {
        return None;
    }
    let (mut width, mut height, mut rate) = (None, None, None);
    for word in words {
        let (key, value) = word.split_at_checked(1)?;
        match key {
            "W" => width = value.parse().ok(),
            "H" => height = value.parse().ok(),
            "F" => rate = value.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))),
            _ => {}
        }
    }
    let sides = 1..=SIDE_LIMIT;
    let stream = Stream { width: width?, height: height?, rate: rate? };
    let sound = sides.contains(&stream.width) && sides.contains(&stream.height);
    (sound && stream.rate.0 > 0 && stream.rate.1 > 0).then_some(stream)
}

/// A file as ffmpeg takes it, whose name may begin as an option or an address does: `-a.mp4`, `http:a.mp4`.
fn named(file: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(file);
    name
}

fn quiet(ffmpeg: &Path) -> Command {
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]);
    command
}

/// A program with its messages, which are read continuously so that it never blocks on them.
struct Running {
    name: String,
    child: Child,
    messages: Option<JoinHandle<String>>,
}

impl Running {
    fn start(mut command: Command) -> Result<Self, PredictError> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let problem = match error.kind() {
                ErrorKind::NotFound => {
                    "is not installed; videos need it: install ffmpeg, or give its path with --ffmpeg".into()
                }
                _ => format!("cannot be started: {error}"),
            };
            PredictError::Program { program: name.clone(), problem }
        })?;
        let messages = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                // The text is for the error message only, so that as much as could be read is enough.
                let _ = stderr.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Self { name, child, messages })
    }

    fn stdout(&mut self) -> Result<BufReader<ChildStdout>, PredictError> {
        self.child
            .stdout
            .take()
            .map(BufReader::new)
            .ok_or_else(|| self.failed("its output is in use already"))
    }

    fn failed(&self, problem: impl Into<String>) -> PredictError {
        PredictError::Program { program: self.name.clone(), problem: problem.into() }
    }

    /// All messages of the program, after its end.
    fn messages(&mut self) -> String {
        let messages = self.messages.take().and_then(|thread| thread.join().ok());
        messages.unwrap_or_default()
    }

    /// Waits for the end; a failure carries the program's last message.
    fn end(&mut self) -> Result<(), PredictError> {
        let status = self.child.wait().map_err(|e| self.failed(e.to_string()))?;
        let messages = self.messages();
        if status.success() {
            return Ok(());
        }
        let last = messages.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("without a message");
        Err(self.failed(format!("{last} ({status})")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the frames of a video.
pub(super) struct Decoder {
    stdout: BufReader<ChildStdout>,
    running: Running,
    stream: Stream,
}

impl Decoder {
    /// Frames come at a constant rate, so that they stay in step with the sound.
    pub fn start(ffmpeg: &Path, input: &Path, stream: Stream, facts: &Facts) -> Result<Self, PredictError> {
        let mut command = quiet(ffmpeg);
        let (frames, seconds) = stream.rate;
        command.arg("-i").arg(named(input)).args(["-map", "0:v:0", "-r", &format!("{frames}/{seconds}")]);
        command.args(["-vf", &facts.to_rgb(stream.height), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        let mut running = Running::start(command)?;
        Ok(Self { stdout: running.stdout()?, running, stream })
    }

    /// The next frame, red, green and blue; `None` after the last.
    pub fn frame(&mut self) -> Result<Option<Raster>, PredictError> {
        let Stream { width, height, .. } = self.stream;
        let mut data = vec![0; width * height * 3];
        let mut filled = 0;
        while filled < data.len() {
            match self.stdout.read(&mut data[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(self.running.failed("it stopped within a frame")),
                Ok(read) => filled += read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.running.failed(e.to_string())),
            }
        }
        Ok(Some(Raster::new(width, height, 3, data)))
    }

    /// Checks that the video was read to its end.
    pub fn finish(mut self) -> Result<(), PredictError> {
        self.running.end()
    }
}

/// Writes a video from frames and the sound of another video.
pub(super) struct Encoder {
    stdin: Option<ChildStdin>,
    running: Running,
    file: AtomicFile,
}

impl Encoder {
    pub fn start(
        ffmpeg: &Path,
        (input, output): (&Path, &Path),
        stream: Stream,
        facts: &Facts,
        pixels: Pixels,
    ) -> Result<Self, PredictError> {
        let file = AtomicFile::reserve(output)?;
        let (frames, seconds) = stream.rate;
        let mut command = Command::new(ffmpeg);
        command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]);
        command.args(["-pix_fmt", if pixels == Pixels::Rgb { "rgb24" } else { "rgba" }]);
        command.args([
            "-s",
            &format!("{}x{}", stream.width, stream.height),
            "-r",
            &format!("{frames}/{seconds}"),
        ]);
        command.args(["-i", "-", "-i"]).arg(named(input)).args(["-map", "0:v:0"]);
        command.args(facts.sound_options(pixels == Pixels::Rgba));
        match pixels {
            // Every player reads this codec; it needs even sides.
            Pixels::Rgb => command.args([
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-crf",
                "18",
                "-vf",
                &format!("pad=ceil(iw/2)*2:ceil(ih/2)*2,{}", facts.filter_from_rgb(stream.height, "yuv420p")),
                "-movflags",
                "+faststart",
            ]),
            // Video editors read this codec, with alpha.
            Pixels::Rgba => {
                let filter = facts.filter_from_rgb(stream.height, "yuva444p10le");
                command.args(["-c:v", "prores_ks", "-profile:v", "4444", "-vf", &filter])
            }
        };
        command.args(facts.tags(stream.height));
        // The temporary name does not say which container is meant.
        command.args(["-f", if pixels == Pixels::Rgba { "mov" } else { "mp4" }]);
        command.arg(named(file.temporary())).stdin(Stdio::piped());
        let mut running = Running::start(command)?;
        let stdin = running.child.stdin.take();
        Ok(Self { stdin, running, file })
    }

    pub fn frame(&mut self, pixels: &[u8]) -> Result<(), PredictError> {
        let written = self.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(pixels));
        written.map_err(|error| {
            // A closed pipe means that the program has ended; its own message says why.
            self.stdin = None;
            self.running.end().err().unwrap_or_else(|| self.running.failed(error.to_string()))
        })
    }

    /// Completes the video and gives it its name, after `note` has seen the complete file.
    pub fn finish(mut self, note: &dyn Fn(&Path) -> Result<(), PredictError>) -> Result<(), PredictError> {
        self.stdin = None;
        self.running.end()?;
        note(self.file.temporary())?;
        Ok(self.file.commit()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let stream = |width, height, rate| Some(Stream { width, height, rate });
        assert_eq!(
            parse_head("YUV4MPEG2 W640 H360 F30000:1001 Ip A1:1 C444"),
            stream(640, 360, (30000, 1001))
        );
        for bad in [
            "",
            "P6",
            "YUV4MPEG2 W640 F25:1",
            "YUV4MPEG2 W0 H9 F25:1",
            "YUV4MPEG2 W9 H9 F25:0",
            "YUV4MPEG2 W9 H9 Fx",
        ] {
            assert_eq!(parse_head(bad), None, "{bad}");
        }
    }
}
