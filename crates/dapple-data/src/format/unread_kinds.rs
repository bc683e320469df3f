//! Pictures and videos of kinds that are not read, told by their extensions.

use std::path::Path;

/// Kinds and their extensions in lower case.
const KINDS: [(&str, &[&str]); 12] = [
    ("HEIC", &["heic", "heif", "hif"]),
    ("AVIF", &["avif"]),
    ("JPEG XL", &["jxl"]),
    ("JPEG 2000", &["jp2", "j2k", "jpx", "jpf"]),
    ("camera raw", &["dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"]),
    ("DICOM", &["dcm", "dicom"]),
    ("NIfTI", &["nii"]),
    ("OpenEXR or HDR", &["exr", "hdr"]),
    ("Photoshop", &["psd"]),
    ("vector drawing", &["svg", "eps"]),
    ("icon or Targa", &["ico", "tga"]),
    ("video", &["mp4", "mov", "avi", "mkv", "webm", "m4v", "mpg", "mpeg", "wmv"]),
];

/// The kind of a file that is not read; `None` for all others.
pub(super) fn kind_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    if name.ends_with(".nii.gz") {
        return Some("NIfTI");
    }
    let (_, extension) = name.rsplit_once('.')?;
    KINDS.iter().find(|(_, extensions)| extensions.contains(&extension)).map(|(kind, _)| *kind)
}
