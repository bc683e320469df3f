//! Facts that ffmpeg tells about a video: its sound, and the meaning of its colours.

/// The codecs of sound that MP4 and QuickTime files hold and players read.
const KEPT: [&str; 5] = ["aac", "mp3", "ac3", "eac3", "alac"];
/// Those of uncompressed sound that QuickTime files hold too.
const KEPT_IN_MOV: [&str; 8] =
    ["pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be"];

/// Frames of this height or more are high definition, which is BT.709 where nothing else is said, as players take it.
const HIGH_DEFINITION: usize = 720;

/// The first video stream's colours and the codecs of the sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The codec of each sound track.
    pub sound: Vec<String>,
    /// Matrix, primaries and transfer, by ffmpeg's names, where the file says them.
    pub matrix: Option<String>,
    pub primaries: Option<String>,
    pub transfer: Option<String>,
}

impl Facts {
    /// From the description that `ffmpeg -i FILE` prints.
    pub fn read(description: &str) -> Self {
        let mut facts = Self::default();
        let mut seen = false;
        for line in description.lines().filter(|line| line.trim_start().starts_with("Stream #")) {
            if let Some((_, video)) = line.split_once(": Video: ") {
                if !seen {
                    [facts.matrix, facts.primaries, facts.transfer] = colours(video);
                }
                seen = true;
            } else if let Some((_, sound)) = line.split_once(": Audio: ") {
                let codec = sound.split([' ', ',']).next().unwrap_or_default();
                facts.sound.push(codec.to_owned());
            }
        }
        facts
    }

    /// The filter that makes red, green and blue of the frames.
    pub fn to_rgb(&self, height: usize) -> String {
        let matrix = match &self.matrix {
            // The frames carry it.
            Some(_) => "auto",
            None => default_matrix(height),
        };
        format!("scale=in_color_matrix={matrix}:flags=bicubic+accurate_rnd+full_chroma_inp,format=rgb24")
    }

    /// The matrix, the primaries and the transfer of the written video: those of the read one, where players know them.
    fn written(&self, height: usize) -> (&str, Option<&str>, Option<&str>) {
        let matrix = match self.matrix.as_deref() {
            Some(matrix @ ("bt709" | "smpte170m" | "bt470bg")) => matrix,
            _ => default_matrix(height),
        };
        let usual = (matrix == "bt709").then_some("bt709");
        (matrix, self.primaries.as_deref().or(usual), self.transfer.as_deref().or(usual))
    }

    /// The filter that makes frames of a pixel format of red, green and blue, and says what their values mean.
    pub fn filter_from_rgb(&self, height: usize, format: &str) -> String {
        let (matrix, primaries, transfer) = self.written(height);
        let mut filter = format!(
            "scale=out_color_matrix={matrix}:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format={format},\
             setparams=range=tv:colorspace={matrix}"
        );
        for (name, value) in [("color_primaries", primaries), ("color_trc", transfer)] {
            if let Some(value) = value {
                filter += &format!(":{name}={value}");
            }
        }
        filter
    }

    /// The options that say the same to encoders of older versions.
    pub fn tags(&self, height: usize) -> Vec<String> {
        let (matrix, primaries, transfer) = self.written(height);
        // Encoders know two transfers by other names than filters and descriptions do.
        let transfer = transfer.map(|name| match name {
            "bt470m" => "gamma22",
            "bt470bg" => "gamma28",
            name => name,
        });
        let named =
            [("-colorspace", Some(matrix)), ("-color_primaries", primaries), ("-color_trc", transfer)];
        let given = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?.to_owned()]));
        given.flatten().chain(["-color_range".to_owned(), "tv".to_owned()]).collect()
    }

    /// The options for the sound of the second input: tracks that the container holds are copied, others encoded anew.
    pub fn sound_options(&self, is_mov: bool) -> Vec<String> {
        let mut options = Vec::new();
        // A codec that ffmpeg does not know is `none`: it can neither be copied nor read.
        let known = self.sound.iter().enumerate().filter(|(_, codec)| *codec != "none");
        for (to, (from, codec)) in known.enumerate() {
            let codec = codec.as_str();
            options.extend(["-map".to_owned(), format!("1:a:{from}"), format!("-c:a:{to}")]);
            if KEPT.contains(&codec) || is_mov && KEPT_IN_MOV.contains(&codec) {
                options.push("copy".into());
            } else {
                options.extend(["aac".into(), format!("-b:a:{to}"), "192k".into()]);
            }
        }
        options
    }
}

fn default_matrix(height: usize) -> &'static str {
    if height >= HIGH_DEFINITION { "bt709" } else { "smpte170m" }
}

/// Matrix, primaries and transfer from `h264 (High), yuv420p(tv, bt709/unknown/unknown, progressive), 1280x720 …`.
fn colours(video: &str) -> [Option<String>; 3] {
    /// Range, order of fields and place of colour samples stand in the brackets too.
    const MATRICES: [&str; 13] = [
        "unknown",
        "gbr",
        "bt709",
        "fcc",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "ycgco",
        "bt2020nc",
        "bt2020c",
        "smpte2085",
        "ictcp",
        "ipt-c2",
    ];
    let known = |word: &str| (!["unknown", "reserved"].contains(&word)).then(|| word.to_owned());
    // The codec's name may have brackets too; only those of the pixel format directly follow a word.
    for part in video.split(", ").filter_map(|part| part.split_once('(')) {
        let (format, first) = part;
        if format.is_empty() || format.contains(' ') {
            continue;
        }
        let start = video.find(&format!("{format}({first}")).map_or(0, |at| at + format.len() + 1);
        let inside = video[start..].split(')').next().unwrap_or_default();
        for word in inside.split(", ") {
            let names: Vec<&str> = word.split('/').collect();
            match names[..] {
                [matrix, primaries, transfer] => return [matrix, primaries, transfer].map(known),
                // One name for all three.
                [one] if MATRICES.contains(&one) => return [one; 3].map(known),
                _ => {}
            }
        }
    }
    [None, None, None]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "Input #0, mov,mp4, from 'a, Video: x.mov':
  Duration: 00:00:01.00, start: 0.000000, bitrate: 3549 kb/s
  Stream #0:0[0x1]: Video: h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709/unknown/smpte2084, progressive), 1280x720 [SAR 1:1 DAR 16:9], 25 fps (default)
  Stream #0:1[0x2](eng): Audio: pcm_s16le (sowt / 0x74776F73), 44100 Hz, mono, s16, 705 kb/s (default)
  Stream #0:2[0x3]: Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, stereo, fltp
  Stream #0:3: Audio: none (XYZ1), 48000 Hz
  Stream #0:4: Video: mjpeg (Baseline), yuvj420p(pc, bt470bg/unknown/unknown), 64x36";

    #[test]
    fn descriptions() {
        let facts = Facts::read(DESCRIPTION);
        assert_eq!(facts.sound, ["pcm_s16le", "aac", "none"]);
        assert_eq!(facts.matrix.as_deref(), Some("bt709"));
        assert_eq!((facts.primaries.as_deref(), facts.transfer.as_deref()), (None, Some("smpte2084")));
        let colours = |text: &str| {
            let facts = Facts::read(&format!("  Stream #0:0: Video: {text}"));
            facts.matrix
        };
        assert_eq!(
            colours("hevc (Main 10), yuv420p10le(tv, bt2020nc/bt2020/smpte2084), 4x4").as_deref(),
            Some("bt2020nc")
        );
        assert_eq!(colours("h264 (High), yuv420p(bt709), 4x4").as_deref(), Some("bt709"));
        assert_eq!(colours("vp9 (Profile 0), yuv420p(tv, progressive), 640x360, SAR 1:1"), None);
        assert_eq!(colours("mpeg4 (XVID / 0x1), yuv420p, 640x360 [SAR 1:1]"), None);
        assert_eq!(colours("h264 (High), yuv420p(tv, top coded first (swapped)), 4x4"), None);
    }

    #[test]
    fn sound_that_a_container_cannot_hold_is_encoded_anew() {
        let facts = Facts::read(DESCRIPTION);
        assert_eq!(
            facts.sound_options(false).join(" "),
            "-map 1:a:0 -c:a:0 aac -b:a:0 192k -map 1:a:1 -c:a:1 copy"
        );
        assert_eq!(facts.sound_options(true).join(" "), "-map 1:a:0 -c:a:0 copy -map 1:a:1 -c:a:1 copy");
        let opus = Facts { sound: vec!["opus".into()], ..Facts::default() };
        assert_eq!(opus.sound_options(true).join(" "), "-map 1:a:0 -c:a:0 aac -b:a:0 192k");
    }

    #[test]
    fn colours_keep_their_meaning() {
        let facts = Facts::read(DESCRIPTION);
        assert!(facts.to_rgb(720).contains("in_color_matrix=auto"));
        assert!(
            facts
                .filter_from_rgb(720, "yuv420p")
                .ends_with("colorspace=bt709:color_primaries=bt709:color_trc=smpte2084")
        );
        // Untagged: by the size, as players take it.
        let untagged = Facts::default();
        assert!(untagged.to_rgb(720).contains("in_color_matrix=bt709"));
        assert!(untagged.to_rgb(576).contains("in_color_matrix=smpte170m"));
        assert_eq!(
            untagged.tags(720).join(" "),
            "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
        );
        assert_eq!(untagged.tags(480).join(" "), "-colorspace smpte170m -color_range tv");
        let pal = Facts::read("  Stream #0:0: Video: mpeg2video (Main), yuv420p(tv, bt470bg), 720x576");
        assert!(pal.tags(576).join(" ").contains("-color_primaries bt470bg -color_trc gamma28"));
        assert!(pal.filter_from_rgb(576, "yuv420p").ends_with("color_trc=bt470bg"));
        // Players of 8 bits do not know this one: the values become those of one that they know.
        let wide =
            Facts { matrix: Some("bt2020nc".into()), primaries: Some("bt2020".into()), ..Facts::default() };
        assert!(wide.filter_from_rgb(2160, "yuv420p").contains("out_color_matrix=bt709"));
        assert!(wide.filter_from_rgb(2160, "yuv420p").contains("color_primaries=bt2020"));
    }
}
