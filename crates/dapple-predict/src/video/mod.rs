//! Videos, through the pipes of an installed ffmpeg: frames in, overlays or cut-outs out, the sound kept.
//!
//! Reading frames, the networks, and making and writing frames run side by side. Flicker is smoothed by a running mean of
//! the logits over time, which begins anew at a cut.

mod cuts;
mod facts;
mod ffmpeg;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use dapple_base::StopFlag;
use dapple_data::Raster;
use dapple_report::{OverlayStyle, Palette, overlay_row};

use crate::error::PredictError;
use crate::matte::Frame;
use crate::output::{Background, OutputSettings, compose, output_palette};
use crate::prediction::{Prediction, Wants};
use crate::predictor::Predictor;

use cuts::Cuts;
use facts::Facts;
pub use ffmpeg::Stream;
use ffmpeg::{Decoder, Encoder, Pixels};

/// The extensions of video files, in lower case.
const EXTENSIONS: [&str; 10] = ["mp4", "mov", "mkv", "webm", "avi", "m4v", "mpg", "mpeg", "wmv", "ts"];

/// Frames queued between two stages.
const AHEAD: usize = 2;

/// The result made of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoOutput {
    /// The classes' colours over the frames.
    Overlay,
    /// The foreground on the background of the output settings; a transparent one becomes a video with alpha.
    Cutout,
}

/// The settings of a video's prediction.
#[derive(Clone, Debug)]
pub struct VideoSettings {
    /// The program, by default `ffmpeg` as the system finds it.
    pub ffmpeg: PathBuf,
    /// The result to make.
    pub kind: VideoOutput,
    /// Opacity, background, classes and edges.
    pub output: OutputSettings,
    /// The share of the previous frames in the logits of a frame, from 0 (none) to below 1.
    pub smoothing: f32,
}

/// The result of a video's prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoSummary {
    /// Frames written.
    pub frames: usize,
    /// From the start of the programs to the complete file.
    pub elapsed: Duration,
}

/// The file that is read and the one that is written.
pub struct VideoFiles<'a> {
    /// The video.
    pub input: &'a Path,
    /// Its result.
    pub output: &'a Path,
    /// Sees the complete result under its temporary name, before it gets its own.
    pub note: &'a (dyn Fn(&Path) -> Result<(), PredictError> + Sync),
}

/// A message to the writer.
enum Made {
    Frame(Raster, Prediction),
    /// All frames were read and predicted: the video may get its name.
    Complete,
}

/// Whether a file is a video by its extension.
pub fn is_video(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// The extension of the resulting video: that of a container which holds alpha where it is needed.
pub fn extension(settings: &VideoSettings) -> &'static str {
    match (settings.kind, &settings.output.background) {
        (VideoOutput::Cutout, Background::Transparent) => "mov",
        _ => "mp4",
    }
}

/// Predicts all frames of a video and writes another one, which appears under its name when it is complete. `on_frame`
/// receives the number of frames done.
///
/// # Errors
/// [`PredictError::Program`] if ffmpeg is missing, or cannot read or write the video; those of the networks;
/// [`PredictError::Stopped`]; [`PredictError::Panicked`].
pub fn run(
    predictor: &Predictor,
    files: &VideoFiles<'_>,
    settings: &VideoSettings,
    stop: &StopFlag,
    on_frame: &mut dyn FnMut(usize),
) -> Result<VideoSummary, PredictError> {
    if !(0.0..1.0).contains(&settings.smoothing) {
        return Err(PredictError::Settings(format!(
            "a smoothing of {}: give 0 to below 1",
            settings.smoothing
        )));
    }
    let begin = Instant::now();
    let stream = ffmpeg::probe(&settings.ffmpeg, files.input)?;
    let facts = &ffmpeg::describe(&settings.ffmpeg, files.input)?;
    let classes = output_palette(predictor.classes(), predictor.settings().threshold)?;
    let (see, frames) = sync_channel(AHEAD);
    let (predicted, made) = sync_channel(AHEAD);
    let result = thread::scope(|scope| {
        let reader = scope.spawn(move || read(settings, files.input, (stream, facts), &see));
        let writer = scope.spawn(move || write(settings, files, (stream, facts), &classes, &made));
        let networks = predict(predictor, settings, stop, &frames, &predicted, on_frame);
        // The reader ends at a closed queue.
        drop(frames);
        let read = joined(reader, "the thread that reads frames");
        let all = networks.and_then(|count| read.map(|()| count));
        if all.is_ok() {
            // A writer that is gone has failed, and reports its error below.
            let _ = predicted.send(Made::Complete);
        }
        drop(predicted);
        let written = joined(writer, "the thread that writes frames");
        all.and_then(|count| written.map(|()| count))
    });
    match result {
        Err(error @ PredictError::Panicked(_)) => Err(error),
        // Ctrl-C ends ffmpeg too, whose complaint says less.
        Err(_) if stop.is_raised() => Err(PredictError::Stopped),
        result => Ok(VideoSummary { frames: result?, elapsed: begin.elapsed() }),
    }
}

/// The result of a thread; its panic is a bug of this program, not a fault of the input.
fn joined(
    thread: ScopedJoinHandle<'_, Result<(), PredictError>>,
    name: &'static str,
) -> Result<(), PredictError> {
    thread.join().unwrap_or(Err(PredictError::Panicked(name)))
}

fn read(
    settings: &VideoSettings,
    input: &Path,
    (stream, facts): (Stream, &Facts),
    see: &SyncSender<Raster>,
) -> Result<(), PredictError> {
    let mut decoder = Decoder::start(&settings.ffmpeg, input, stream, facts)?;
    while let Some(frame) = decoder.frame()? {
        if see.send(frame).is_err() {
            // The networks have failed or were stopped, which is reported elsewhere.
            return Ok(());
        }
    }
    decoder.finish()
}

fn predict(
    predictor: &Predictor,
    settings: &VideoSettings,
    stop: &StopFlag,
    frames: &Receiver<Raster>,
    predicted: &SyncSender<Made>,
    on_frame: &mut dyn FnMut(usize),
) -> Result<usize, PredictError> {
    let mut before: Option<Prediction> = None;
    let mut cuts = Cuts::default();
    let mut count = 0;
    while let Ok(frame) = frames.recv() {
        if stop.is_raised() {
            return Err(PredictError::Stopped);
        }
        let mut prediction = predictor.predict(&frame)?;
        if settings.smoothing > 0.0 {
            let is_cut = cuts.is_cut(&frame);
            if let Some(before) = before.as_ref().filter(|_| !is_cut) {
                prediction.blend(before, settings.smoothing);
            }
            before = Some(prediction.clone());
        }
        if predicted.send(Made::Frame(frame, prediction)).is_err() {
            // The writer has failed, and reports its error itself.
            break;
        }
        count += 1;
        on_frame(count);
    }
    Ok(count)
}

fn write(
    settings: &VideoSettings,
    files: &VideoFiles<'_>,
    (stream, facts): (Stream, &Facts),
    classes: &Palette,
    made: &Receiver<Made>,
) -> Result<(), PredictError> {
    let alpha = settings.kind == VideoOutput::Cutout && settings.output.background == Background::Transparent;
    let pixels = if alpha { Pixels::Rgba } else { Pixels::Rgb };
    let mut encoder = None;
    loop {
        let (frame, prediction) = match made.recv() {
            Ok(Made::Frame(frame, prediction)) => (frame, prediction),
            Ok(Made::Complete) => break,
            // Another stage has failed, and reports it; the encoder removes the unfinished file.
            Err(_) => return Ok(()),
        };
        let picture = match settings.kind {
            VideoOutput::Overlay => painted(frame, &prediction, classes, settings.output.opacity),
            VideoOutput::Cutout => {
                let alpha = settings.output.alpha(&prediction);
                compose(Frame::new(frame.width, frame.height), 0, &frame.data, alpha, &[], &settings.output)?
            }
        };
        // Begun with the first frame, so that an unreadable video leaves nothing behind.
        let encoder = match &mut encoder {
            Some(encoder) => encoder,
            none => {
                let paths = (files.input, files.output);
                none.insert(Encoder::start(&settings.ffmpeg, paths, stream, facts, pixels)?)
            }
        };
        encoder.frame(&picture)?;
    }
    match encoder {
        Some(encoder) => encoder.finish(files.note),
        None => Err(PredictError::bad_file(files.input, "no frame of this video could be read")),
    }
}

fn painted(mut frame: Raster, prediction: &Prediction, classes: &Palette, opacity: f32) -> Vec<u8> {
    let style = OverlayStyle { opacity, unpainted: (classes.count() == 2).then_some(0) };
    let mut rows = prediction.rows(Wants::default());
    for (y, row) in frame.data.chunks_exact_mut(3 * frame.width).enumerate() {
        overlay_row(row, &rows.row(y).labels, y as u32, classes, style);
    }
    frame.data
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_base::InputFault;

    #[test]
    fn a_panic_is_not_the_users_fault() {
        let error = thread::scope(|scope| joined(scope.spawn(|| panic!("a bug")), "the thread"));
        let error = error.expect_err("it panicked");
        assert!(!error.is_input_fault() && error.to_string().contains("this is a bug"), "{error}");
    }
}
