//! torchvision's names of RegNetY, whose names here are timm's.
//!
//! | dapple | torchvision |
//! |---|---|
//! | `stem.conv`, `stem.bn` | `stem.0`, `stem.1` |
//! | `s2.b1.conv1.conv`, `s2.b1.conv1.bn` (`conv2`, `conv3`) | `trunk_output.block2.block2-0.f.a.0`, `f.a.1` (`f.b`, `f.c`) |
//! | `s2.b1.downsample.conv`, `s2.b1.se.fc1` | `proj.0`, `f.se.fc1` of the same block |

/// Whether these names of the encoder are known.
pub(super) fn knows(encoder: &str) -> bool {
    encoder.starts_with("regnety")
}

/// torchvision's name of an encoder's parameter.
pub(super) fn name(own: &str) -> Option<String> {
    let (stage, rest) = own.split_once('.')?;
    if stage == "stem" {
        return Some(format!("stem.{}", numbered(rest)?));
    }
    let stage = stage.strip_prefix('s')?;
    let (block, rest) = rest.split_once('.')?;
    let block = block.strip_prefix('b')?.parse::<usize>().ok()?.checked_sub(1)?;
    let (layer, rest) = rest.split_once('.')?;
    let there = match layer {
        "conv1" => format!("f.a.{}", numbered(rest)?),
        "conv2" => format!("f.b.{}", numbered(rest)?),
        "conv3" => format!("f.c.{}", numbered(rest)?),
        "downsample" => format!("proj.{}", numbered(rest)?),
        "se" => format!("f.se.{rest}"),
        _ => return None,
    };
    Some(format!("trunk_output.block{stage}.block{stage}-{block}.{there}"))
}

/// `0.PART` for `conv.PART`, `1.PART` for `bn.PART`.
fn numbered(layer: &str) -> Option<String> {
    match layer.split_once('.')? {
        ("conv", part) => Some(format!("0.{part}")),
        ("bn", part) => Some(format!("1.{part}")),
        _ => None,
    }
}
