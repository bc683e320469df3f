//! Videos through the pipes of a program that stands for ffmpeg: it records what the real one would be told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{model, picture, predictor};
use dapple_base::StopFlag;
use dapple_nets::checkpoint::Normalization;
use dapple_predict::output::{Background, OutputSettings};
use dapple_predict::video::{VideoFiles, VideoOutput, VideoSettings, extension, is_video, run};
use dapple_predict::{PredictError, PredictSettings};

/// A script that writes the header of a video of three frames of 32 x 20, or the frames, or keeps the frames that it receives.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
for last; do :; done
case "$*" in
    "-hide_banner -nostdin -i file:"*) cat "$here/described" >&2; exit 1 ;;
    *yuv4mpegpipe*) printf 'YUV4MPEG2 W32 H20 F25:2 Ip\nFRAME\n' ;;
    *"-i - -i"*) echo "$*" > "$here/said"; cat > "${last#file:}"; [ ! -e "$here/broken" ] ;;
    *) cat "$here/frames" ;;
esac
"#;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::write(bench.path("ffmpeg"), SCRIPT).expect("a file");
        fs::set_permissions(bench.path("ffmpeg"), fs::Permissions::from_mode(0o755)).expect("its owner");
        let described = "  Stream #0:0: Video: h264 (High), yuv420p(tv, bt709), 32x20, 12.5 fps\n  \
            Stream #0:1: Audio: pcm_s16le, 44100 Hz\n  Stream #0:2: Audio: aac (LC), 48000 Hz\n";
        fs::write(bench.path("described"), described).expect("a file");
        fs::write(bench.path("frames"), picture(32, 60).data).expect("a file");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(
        &self,
        kind: VideoOutput,
        background: Background,
        smoothing: f32,
        out: &str,
    ) -> Result<usize, PredictError> {
        self.run_on("video.mp4", kind, background, smoothing, out)
    }

    fn run_on(
        &self,
        input: &str,
        kind: VideoOutput,
        background: Background,
        smoothing: f32,
        out: &str,
    ) -> Result<usize, PredictError> {
        let settings = VideoSettings {
            ffmpeg: self.path("ffmpeg"),
            kind,
            output: OutputSettings { background, ..OutputSettings::default() },
            smoothing,
        };
        let predictor = predictor(model("unet", 2, Normalization::ImageNet, 3), PredictSettings::default());
        let mut heard = 0;
        let on_frame = &mut |frames| heard = frames;
        let output = self.path(out);
        let noted = AtomicBool::new(false);
        let note = |complete: &Path| {
            // Before it has its name.
            noted.store(complete.is_file() && !output.exists(), Ordering::SeqCst);
            Ok(())
        };
        let files = VideoFiles { input: Path::new(input), output: &output, note: &note };
        let summary = run(&predictor, &files, &settings, &StopFlag::new(), on_frame)?;
        assert_eq!(summary.frames, heard);
        assert!(noted.load(Ordering::SeqCst));
        Ok(summary.frames)
    }
}

#[test]
fn frames_go_in_and_come_out_with_the_sound() {
    let bench = Bench::new();
    assert_eq!(
        bench.run(VideoOutput::Overlay, Background::Transparent, 0.0, "overlay.mp4").expect("a video"),
        3
    );
    let overlay = fs::read(bench.path("overlay.mp4")).expect("a video");
    assert_eq!(overlay.len(), 3 * 32 * 20 * 3);
    let said = fs::read_to_string(bench.path("said")).expect("it was called");
    for words in [
        "-s 32x20 -r 25/2 -i - -i file:video.mp4",
        "-f mp4 file:",
        "-map 1:a:0 -c:a:0 aac",
        "-map 1:a:1 -c:a:1 copy",
        "-pix_fmt rgb24",
        "out_color_matrix=bt709",
        "-color_trc bt709",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    bench.run(VideoOutput::Cutout, Background::Transparent, 0.5, "cut.mov").expect("a video");
    assert_eq!(fs::read(bench.path("cut.mov")).expect("a video").len(), 3 * 32 * 20 * 4);
    bench.run(VideoOutput::Cutout, Background::Colour([0, 255, 0]), 0.5, "green.mp4").expect("a video");
    assert_eq!(fs::read(bench.path("green.mp4")).expect("a video").len(), 3 * 32 * 20 * 3);
}

#[test]
fn names_of_videos_are_no_options_and_as_long_as_allowed() {
    let bench = Bench::new();
    let long = format!("{}.mp4", "v".repeat(251));
    for input in ["-y.mp4", "http:a.mp4"] {
        let made = bench.run_on(input, VideoOutput::Overlay, Background::Transparent, 0.0, &long);
        assert_eq!(made.expect("a video"), 3);
        let said = fs::read_to_string(bench.path("said")).expect("it was called");
        assert!(said.contains(&format!("-i - -i file:{input} ")), "{said}");
        fs::remove_file(bench.path(&long)).expect("it was written");
    }
}

#[test]
fn what_fails_leaves_nothing() {
    let bench = Bench::new();
    let overlay = |smoothing| bench.run(VideoOutput::Overlay, Background::Transparent, smoothing, "out.mp4");
    assert!(overlay(1.0).is_err());
    fs::write(bench.path("broken"), "").expect("a file");
    assert!(overlay(0.0).is_err());
    fs::remove_file(bench.path("broken")).expect("it is there");
    fs::write(bench.path("frames"), [0; 100]).expect("a file");
    let error = overlay(0.0).expect_err("a frame too short").to_string();
    assert!(error.contains("within a frame"), "{error}");
    fs::remove_file(bench.path("ffmpeg")).expect("it is there");
    let error = overlay(0.0).expect_err("no program").to_string();
    assert!(error.contains("not installed") && error.contains("--ffmpeg"), "{error}");
    let left = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains("out.mp4");
    assert_eq!(fs::read_dir(bench.0.path()).expect("a folder").flatten().filter(left).count(), 0);
}

#[test]
fn videos_by_their_names() {
    assert!(is_video(Path::new("a.MP4")) && !is_video(Path::new("a.png")));
    let of = |background| VideoSettings {
        ffmpeg: "ffmpeg".into(),
        kind: VideoOutput::Cutout,
        output: OutputSettings { background, ..OutputSettings::default() },
        smoothing: 0.0,
    };
    assert_eq!((extension(&of(Background::Transparent)), extension(&of(Background::Blur))), ("mov", "mp4"));
}
