//! Sampling at another size.

use super::broadcast::{widened, with_rank};
use super::builder::Builder;
use super::call::{Call, in_range};
use super::constant::Constant;
use super::layout::as_image;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use super::view::View;
use dapple_graph::{Interpolation, Shape};

/// Largest height and width of a map.
const LONGEST_SIDE: usize = 1 << 16;

/// The way in which an operator samples.
#[derive(Debug)]
struct Sampling<'a> {
    mode: &'a str,
    coordinates: &'a str,
    rounding: &'a str,
    antialias: bool,
}

/// `Resize`, and `Upsample` of older operator sets.
pub(crate) fn resize(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = as_image(b, call.map(0)?)?;
    let shape = b.shape(map.node);
    let size = [shape.h, shape.w];
    let is_old = call.node.op_type() == "Upsample" || call.opset < 11;
    let (scales, sizes) = if is_old {
        (scales(call, 1)?, None)
    } else {
        (
            known(call.known(2, "scales")?).map(|constant| constant.to_floats().to_vec()),
            known(call.known(3, "sizes")?),
        )
    };
    let count = sizes.map(Constant::len).or(scales.as_ref().map(Vec::len)).unwrap_or(4);
    let axes = axes(call, count)?;
    let (mut out, mut factor) = (size, [1.0; 2]);
    match (scales, sizes) {
        (_, Some(sizes)) => {
            let Some(sizes) = sizes.as_ints() else { return refuse("its sizes are no whole numbers") };
            if call.text("keep_aspect_ratio_policy").is_some_and(|policy| policy != "stretch") {
                return refuse("keep_aspect_ratio_policy other than stretch");
            }
            for (&axis, &side) in axes.iter().zip(sizes) {
                match axis {
                    2 | 3 => out[axis - 2] = usize::try_from(side).unwrap_or(0),
                    0 if side == 1 => {}
                    1 if side == shape.c as i64 => {}
                    _ => return refuse("it resizes batch or channels"),
                }
            }
            factor = [0, 1].map(|axis| out[axis] as f32 / size[axis] as f32);
        }
        (Some(scales), None) => {
            for (&axis, &scale) in axes.iter().zip(&scales) {
                match axis {
                    2 | 3 => {
                        factor[axis - 2] = scale;
                        // As the standard has it: rounded down.
                        out[axis - 2] = (size[axis - 2] as f32 * scale).floor() as usize;
                    }
                    _ if scale == 1.0 => {}
                    _ => return refuse("it resizes batch or channels"),
                }
            }
        }
        (None, None) => return refuse("it has neither scales nor sizes"),
    }
    if out.iter().any(|side| !(1..=LONGEST_SIDE).contains(side)) {
        return refuse(format!("its result has {} x {} pixels", out[0], out[1]));
    }
    let sampling = Sampling {
        mode: call.text("mode").unwrap_or("nearest"),
        coordinates: if is_old {
            "asymmetric"
        } else {
            call.text("coordinate_transformation_mode").unwrap_or("half_pixel")
        },
        rounding: if is_old { "floor" } else { call.text("nearest_mode").unwrap_or("round_prefer_floor") },
        antialias: call.int("antialias").unwrap_or(0) != 0,
    };
    if out == size && factor == [1.0; 2] {
        return Ok(Value::Map(map));
    }
    let interpolation = interpolation(&sampling, size, out, factor)?;
    let node = b.sample(map.node, out, interpolation)?;
    Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: map.factor }))
}

/// An optional list that is empty counts as left out.
fn known(constant: Option<&Constant>) -> Option<&Constant> {
    constant.filter(|constant| constant.len() > 0)
}

/// The scales of an older operator: an input, or an attribute before opset 9.
fn scales(call: &Call<'_>, index: usize) -> Result<Option<Vec<f32>>, Refusal> {
    match call.known(index, "scales")? {
        Some(constant) => Ok(Some(constant.to_floats().to_vec())),
        None => Ok(call.attribute("scales").map(|attribute| attribute.floats.clone())),
    }
}

/// The axes that sizes and scales are of.
fn axes(call: &Call<'_>, count: usize) -> Result<Vec<usize>, Refusal> {
    let axes = match call.ints("axes").filter(|axes| !axes.is_empty()) {
        None => (0..4).collect(),
        Some(axes) => {
            let from_start =
                |&axis: &i64| usize::try_from(if axis < 0 { axis.saturating_add(4) } else { axis });
            axes.iter()
                .map(|axis| from_start(axis).map_err(|_| Refusal(format!("axis {axis}"))))
                .collect::<Result<Vec<_>, _>>()?
        }
    };
    if axes.len() != count || axes.iter().any(|&axis| axis > 3) {
        return refuse("its sizes are not those of an image");
    }
    Ok(axes)
}

/// The sampling of ours that reads the same places, found by comparing them all.
fn interpolation(
    sampling: &Sampling<'_>,
    size: [usize; 2],
    out: [usize; 2],
    factor: [f32; 2],
) -> Result<Interpolation, Refusal> {
    let Sampling { mode, coordinates, rounding, antialias } = sampling;
    let place =
        |axis: usize, i: usize| coordinate(coordinates, i as f64, size[axis], out[axis], factor[axis]);
    let shrinks = (0..2).any(|axis| out[axis] < size[axis]);
    let all = |holds: &dyn Fn(usize, usize, f64) -> bool| {
        (0..2).all(|axis| (0..out[axis]).all(|i| place(axis, i).is_some_and(|at| holds(axis, i, at))))
    };
    let named = format!("mode {mode}, coordinates {coordinates}");
    match *mode {
        "nearest" => {
            let is_ours = all(&|axis, i, at| {
                let last = size[axis] - 1;
                let source = rounded(rounding, at).clamp(0.0, last as f64) as usize;
                source == i * size[axis] / out[axis]
            });
            match is_ours {
                true => Ok(Interpolation::Nearest),
                false => refuse(format!(
                    "{named}, rounding {rounding}: it takes other pixels than the nearest above and left"
                )),
            }
        }
        "linear" | "bilinear" if *antialias && shrinks => {
            refuse("it averages where it makes smaller (antialias)")
        }
        "linear" | "bilinear" => {
            let ours = [false, true].into_iter().find(|&align_corners| {
                all(&|axis, i, at| {
                    let (from, to) = (size[axis] as f64, out[axis] as f64);
                    let own = match align_corners {
                        true if to > 1.0 => i as f64 * (from - 1.0) / (to - 1.0),
                        true => 0.0,
                        false => (i as f64 + 0.5) * from / to - 0.5,
                    };
                    let clamp = |at: f64| at.clamp(0.0, from - 1.0);
                    (clamp(own) - clamp(at)).abs() < 1e-3
                })
            });
            match ours {
                Some(align_corners) => Ok(Interpolation::Bilinear { align_corners }),
                None => {
                    refuse(format!("{named}: it reads other places than between pixel centres or corners"))
                }
            }
        }
        _ => refuse(format!("{named}: only nearest and linear are read")),
    }
}

/// The place in the input that a position of the output is taken from; `None` for coordinates that are not read.
fn coordinate(mode: &str, i: f64, from: usize, to: usize, factor: f32) -> Option<f64> {
    let factor = f64::from(factor);
    match mode {
        "half_pixel" => Some((i + 0.5) / factor - 0.5),
        "half_pixel_symmetric" => {
            let exact = from as f64 * factor;
            let adjustment = to as f64 / exact;
            let centre = from as f64 / 2.0;
            Some(centre * (1.0 - adjustment) + (i + 0.5) / factor - 0.5)
        }
        "pytorch_half_pixel" if to <= 1 => Some(0.0),
        "pytorch_half_pixel" => Some((i + 0.5) / factor - 0.5),
        "asymmetric" => Some(i / factor),
        "tf_half_pixel_for_nn" => Some((i + 0.5) / factor),
        "align_corners" if to <= 1 => Some(0.0),
        "align_corners" => Some(i * (from as f64 - 1.0) / (to as f64 - 1.0)),
        _ => None,
    }
}

/// Rounding as ONNX names it. Places a rounding error below a whole number are that number.
fn rounded(mode: &str, at: f64) -> f64 {
    const ERROR: f64 = 1e-4;
    match mode {
        "floor" => (at + ERROR).floor(),
        "ceil" => (at - ERROR).ceil(),
        "round_prefer_ceil" => (at + 0.5 + ERROR).floor(),
        _ => (at - 0.5 - ERROR).ceil(),
    }
}

/// `Expand`, and `Tile` of sides of one position.
pub(crate) fn expand(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let Some(wanted) = call.needed(1, "shape")?.as_ints() else {
        return refuse("its shape is no list of whole numbers");
    };
    let old = map.dims();
    let repeats = call.node.op_type() == "Tile";
    if repeats && wanted.len() != old.len() {
        return refuse("its repeats are not one for each axis");
    }
    let rank = old.len().max(wanted.len());
    let map = with_rank(map, rank);
    let old = map.dims();
    let mut dims = old.clone();
    for (axis, &side) in (rank - wanted.len()..rank).zip(wanted) {
        let side = in_range("its shape", side, 1)?;
        let side = if repeats { side * old[axis] } else { side };
        dims[axis] = if side == 1 { old[axis] } else { side };
        if old[axis] != 1 && dims[axis] != old[axis] {
            return refuse("it repeats values along an axis of several");
        }
    }
    if dims == old {
        return Ok(Value::Map(map));
    }
    let image = as_image(b, &map)?;
    let &[1, c, h, w] = dims.as_slice() else { return refuse("its result is no image") };
    let node = widened(b, image.node, Shape::new(1, h, w, c))?;
    Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: image.factor }))
}
