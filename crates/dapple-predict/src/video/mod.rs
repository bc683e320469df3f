//! Films, through the pipes of an installed ffmpeg: frames in, overlays or cut-outs out, the sound kept.
//!
//! Reading frames, the networks, and making and writing frames run side by side. Flicker is smoothed by a running mean of
//! the logits over time.

mod ffmpeg;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use dapple_base::StopFlag;
use dapple_data::Raster;
use dapple_report::{OverlayStyle, Palette, overlay_row};

use crate::batch::classes_of;
use crate::matte::Frame;
use crate::output::{Background, OutputSettings, compose};
use crate::prediction::Wants;
use crate::{PredictError, Prediction, Predictor};

pub use ffmpeg::Stream;
use ffmpeg::{Decoder, Encoder, Pixels};

/// The extensions of files that are taken for films, in lower case.
const EXTENSIONS: [&str; 10] = ["mp4", "mov", "mkv", "webm", "avi", "m4v", "mpg", "mpeg", "wmv", "ts"];

/// Frames between the stages.
const AHEAD: usize = 2;

/// What is made of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The classes' colours over the frames.
    Overlay,
    /// The foreground on the background of the output settings; transparent ones become a film with alpha.
    Cutout,
}

/// How films are predicted.
#[derive(Clone, Debug)]
pub struct VideoSettings {
    /// The program, by default `ffmpeg` as the system finds it.
    pub ffmpeg: PathBuf,
    /// What to make.
    pub look: Look,
    /// Opacity, background, classes and edges.
    pub output: OutputSettings,
    /// The share of the frames before in the logits of a frame, 0 (each for itself) to below 1.
    pub smoothing: f32,
}

/// How a film went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoSummary {
    /// Frames written.
    pub frames: usize,
    /// From the start of the programs to the complete file.
    pub elapsed: Duration,
}

/// What the writer is given.
enum Made {
    Frame(Raster, Prediction),
    /// All frames were read and predicted: the film may have its name.
    Complete,
}

/// Whether a file is a film by its extension.
pub fn is_video(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// The extension of the film that is made: that of a container which holds alpha where it is needed.
pub fn extension(settings: &VideoSettings) -> &'static str {
    match (settings.look, &settings.output.background) {
        (Look::Cutout, Background::Transparent) => "mov",
        _ => "mp4",
    }
}

/// Predicts all frames of a film and writes another one, which appears under its name when it is complete. `on_frame` hears
/// how many frames are done.
///
/// # Errors
/// [`PredictError::Program`] if ffmpeg is not there, or cannot read or write the film; those of the networks;
/// [`PredictError::Stopped`].
pub fn run(
    predictor: &Predictor,
    input: &Path,
    output: &Path,
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
    let stream = ffmpeg::probe(&settings.ffmpeg, input)?;
    let classes = classes_of(predictor)?;
    let (see, frames) = sync_channel(AHEAD);
    let (predicted, made) = sync_channel(AHEAD);
    let result = thread::scope(|scope| {
        let reader = scope.spawn(move || read(settings, input, stream, &see));
        let writer = scope.spawn(move || write(settings, (input, output), stream, &classes, &made));
        let networks = predict(predictor, settings, stop, &frames, &predicted, on_frame);
        // The reader ends at a closed queue.
        drop(frames);
        let panicked = |_| PredictError::Settings("a thread ended by a panic; its message is above".into());
        let all =
            networks.and_then(|count| reader.join().unwrap_or_else(|e| Err(panicked(e))).map(|()| count));
        if all.is_ok() {
            // A writer that is gone has failed, which it tells.
            let _ = predicted.send(Made::Complete);
        }
        drop(predicted);
        let written = writer.join().unwrap_or_else(|e| Err(panicked(e)));
        all.and_then(|count| written.map(|()| count))
    });
    match result {
        // Ctrl-C ends ffmpeg too, whose complaint says less.
        Err(_) if stop.is_raised() => Err(PredictError::Stopped),
        result => Ok(VideoSummary { frames: result?, elapsed: begin.elapsed() }),
    }
}

fn read(
    settings: &VideoSettings,
    input: &Path,
    stream: Stream,
    see: &SyncSender<Raster>,
) -> Result<(), PredictError> {
    let mut decoder = Decoder::start(&settings.ffmpeg, input, stream)?;
    while let Some(frame) = decoder.frame()? {
        if see.send(frame).is_err() {
            // The networks have failed or were stopped, which is told elsewhere.
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
    let mut count = 0;
    while let Ok(frame) = frames.recv() {
        if stop.is_raised() {
            return Err(PredictError::Stopped);
        }
        let mut prediction = predictor.predict(&frame)?;
        if settings.smoothing > 0.0 {
            if let Some(before) = &before {
                prediction.blend(before, settings.smoothing);
            }
            before = Some(prediction.clone());
        }
        if predicted.send(Made::Frame(frame, prediction)).is_err() {
            // The writer has failed, which it tells.
            break;
        }
        count += 1;
        on_frame(count);
    }
    Ok(count)
}

fn write(
    settings: &VideoSettings,
    (input, output): (&Path, &Path),
    stream: Stream,
    classes: &Palette,
    made: &Receiver<Made>,
) -> Result<(), PredictError> {
    let alpha = settings.look == Look::Cutout && settings.output.background == Background::Transparent;
    let pixels = if alpha { Pixels::Rgba } else { Pixels::Rgb };
    let mut encoder = None;
    loop {
        let (frame, prediction) = match made.recv() {
            Ok(Made::Frame(frame, prediction)) => (frame, prediction),
            Ok(Made::Complete) => break,
            // Something has failed, which is told elsewhere; what was written goes with the encoder.
            Err(_) => return Ok(()),
        };
        let picture = match settings.look {
            Look::Overlay => painted(frame, &prediction, classes, settings.output.opacity),
            Look::Cutout => {
                let alpha = settings.output.alpha(&prediction);
                compose(Frame::new(frame.width, frame.height), 0, &frame.data, alpha, &settings.output)?
            }
        };
        // Begun with the first frame, so that a film which cannot be read leaves nothing.
        let encoder = match &mut encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::start(&settings.ffmpeg, (input, output), stream, pixels)?),
        };
        encoder.frame(&picture)?;
    }
    match encoder {
        Some(encoder) => encoder.finish(),
        None => Err(PredictError::bad_file(input, "no frame could be read of this film")),
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
