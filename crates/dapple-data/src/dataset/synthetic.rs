//! Pictures of textured shapes with exact masks: data for demonstrations and tests that nobody has to download.
//!
//! Every picture has a textured background and two to four shapes, which may overlap, under uneven light and with sensor
//! noise: discs shaded like balls, striped squares, chequered triangles and mottled rings. All colours come from one
//! distribution, so that outline and pattern tell a class and colour tells nothing.

use std::fs;
use std::path::Path;

use crate::dataset::samples::Dataset;
use crate::error::{DataError, Result};
use crate::image::encode::{encode_png, write_indexed_png};
use crate::image::raster::Raster;
use crate::mask::classes::Classes;
use crate::mask::label_map::{LabelMap, LabelledImage};
use crate::random::{Purpose, Random};
use dapple_base::{WriteError, write_atomic};

/// Names of the classes in the order of their labels.
pub const CLASSES: [&str; 5] = ["background", "disc", "square", "triangle", "ring"];

/// The classes with their colours.
pub fn classes() -> Classes {
    Classes { names: CLASSES.map(str::to_owned).to_vec(), ..Classes::numbered(CLASSES.len()) }
}

/// Picture `index` of the series `seed`, `[height, width, 3]`, with its label map. The same arguments give the same
/// picture, whatever was generated before.
///
/// # Panics
/// If a side is 0.
pub fn generate(seed: u64, index: u64, height: usize, width: usize) -> LabelledImage {
    assert!(height > 0 && width > 0, "a picture has at least one pixel");
    let mut random = Random::new(seed, Purpose::Synthetic, 0, index);
    let side = height.min(width) as f64;
    let background = Texture::of_background(&mut random, side);
    let mut seen = vec![background.mean()];
    let mut shapes: Vec<Shape> = Vec::new();
    for _ in 0..2 + random.below(3) {
        let shape = Shape::draw(&mut random, height as f64, width as f64, &shapes, &seen);
        seen.push(shape.texture.mean());
        shapes.push(shape);
    }
    let light = Light::draw(&mut random);

    let mut data = Vec::with_capacity(height * width * 3);
    let mut labels = Vec::with_capacity(height * width);
    for y in 0..height {
        for x in 0..width {
            let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
            let mut colour = background.at(px, py);
            let mut label = 0;
            for shape in &shapes {
                let (u, v) = shape.local(px, py);
                let distance = shape.distance(u, v);
                // The share of the pixel that the shape covers, for an edge that is straight at this scale.
                let cover = (0.5 - distance).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let over = shape.texture.at(u, v);
                    colour = std::array::from_fn(|c| colour[c] + (over[c] - colour[c]) * cover);
                }
                if distance <= 0.0 {
                    label = shape.kind.label();
                }
            }
            let lit = light.at(px / width as f64, py / height as f64);
            // The sum of three uniform numbers is near enough to a normal one; the deviation is 4.
            let noise = (random.unit() + random.unit() + random.unit() - 1.5) * 8.0;
            data.extend(colour.map(|v| (v * lit + noise).round().clamp(0.0, 255.0) as u8));
            labels.push(label);
        }
    }
    LabelledImage { image: Raster::new(width, height, 3, data), labels: LabelMap { width, height, labels } }
}

/// The first `count` pictures of a series as a data set in memory, named `synthetic0000` and so on.
///
/// # Panics
/// If a side is 0.
pub fn dataset(seed: u64, count: usize, height: usize, width: usize) -> Dataset {
    let pairs = (0..count).map(|i| (name(i), generate(seed, i as u64, height, width)));
    Dataset::from_memory(pairs, classes(), None)
        .expect("generated pairs have one size and the classes' labels")
}

/// Writes the first `count` pictures of a series to `images/` and `masks/` in `folder`, masks as palette PNG, and
/// `classes.toml` beside them. Folders are made as needed.
///
/// # Errors
/// [`DataError::Write`]; [`DataError::Setting`] if a side is 0.
pub fn write(folder: impl AsRef<Path>, seed: u64, count: usize, height: usize, width: usize) -> Result<()> {
    if height == 0 || width == 0 {
        return Err(DataError::setting("picture size", format!("{height} x {width}"), "at least 1 x 1"));
    }
    let folder = folder.as_ref();
    let (images, masks) = (folder.join("images"), folder.join("masks"));
    for path in [&images, &masks] {
        fs::create_dir_all(path).map_err(|source| WriteError::new(path, source))?;
    }
    let classes = classes();
    write_atomic(folder.join("classes.toml"), classes.to_toml().as_bytes())?;
    for i in 0..count {
        let LabelledImage { image, labels } = generate(seed, i as u64, height, width);
        let file = format!("{}.png", name(i));
        write_atomic(images.join(&file), &encode_png(&image)?)?;
        write_indexed_png(masks.join(&file), width as u32, height as u32, &labels.labels, &classes.colours)?;
    }
    Ok(())
}

fn name(index: usize) -> String {
    format!("synthetic{index:04}")
}

type Colour = [f64; 3];

/// A pattern that goes back and forth between two colours.
struct Texture {
    colours: [Colour; 2],
    pattern: Pattern,
}

/// Patterns of coordinates in pixels; those of a shape are counted from its centre along its sides.
enum Pattern {
    /// Smooth value noise over a lattice of `cells` x `cells` random values that repeats.
    Noise { values: Vec<f64>, cells: usize, cell_size: f64 },
    /// Waves across a direction.
    Stripes { direction: [f64; 2], period: f64, phase: f64 },
    /// Fields of a chessboard.
    Checks { size: f64 },
    /// From the first colour in the centre to the second at the radius.
    Ball { radius: f64 },
}

impl Pattern {
    fn noise(random: &mut Random, side: f64) -> Self {
        let cells = 8;
        let values = (0..cells * cells).map(|_| random.unit()).collect();
        Self::Noise { values, cells, cell_size: side * random.range(0.04, 0.1) }
    }

    fn stripes(random: &mut Random, side: f64, angle: f64) -> Self {
        let period = (side * random.range(0.07, 0.12)).max(3.0);
        Self::Stripes { direction: [angle.cos(), angle.sin()], period, phase: random.unit() }
    }
}

impl Texture {
    /// Noise or stripes of little contrast for pictures whose shorter side is `side`.
    fn of_background(random: &mut Random, side: f64) -> Self {
        let colours = colours(random, &[], 14.0);
        let angle = random.range(0.0, std::f64::consts::PI);
        let pattern = if random.chance(0.5) {
            Pattern::noise(random, side)
        } else {
            Pattern::stripes(random, side, angle)
        };
        Self { colours, pattern }
    }

    /// The pattern of a kind of shape in colours away from those in `seen`.
    fn of_shape(random: &mut Random, kind: Kind, radius: f64, side: f64, seen: &[Colour]) -> Self {
        let colours = colours(random, seen, 45.0);
        let pattern = match kind {
            Kind::Disc => Pattern::Ball { radius },
            Kind::Square(_) => Pattern::stripes(random, side, 0.0),
            Kind::Triangle => Pattern::Checks { size: (side * random.range(0.05, 0.08)).max(2.0) },
            Kind::Ring(_) => Pattern::noise(random, side),
        };
        Self { colours, pattern }
    }

    fn mean(&self) -> Colour {
        std::array::from_fn(|c| (self.colours[0][c] + self.colours[1][c]) / 2.0)
    }

    fn at(&self, x: f64, y: f64) -> Colour {
        let share = match &self.pattern {
            Pattern::Noise { values, cells, cell_size } => {
                let value = |i: usize, j: usize| values[(j % cells) * cells + i % cells];
                let (u, v) = (x / cell_size, y / cell_size);
                // Coordinates in a shape may be negative; the lattice repeats both ways.
                let place = |t: f64| t.floor().rem_euclid(*cells as f64) as usize;
                let (i, j) = (place(u), place(v));
                let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
                let (s, t) = (smooth(u - u.floor()), smooth(v - v.floor()));
                let upper = value(i, j) * (1.0 - s) + value(i + 1, j) * s;
                let lower = value(i, j + 1) * (1.0 - s) + value(i + 1, j + 1) * s;
                upper * (1.0 - t) + lower * t
            }
            Pattern::Stripes { direction, period, phase } => {
                let turns = (x * direction[0] + y * direction[1]) / period + phase;
                0.5 + 0.5 * (turns * std::f64::consts::TAU).sin()
            }
            Pattern::Checks { size } => ((x / size).floor() + (y / size).floor()).rem_euclid(2.0),
            Pattern::Ball { radius } => (x.hypot(y) / radius).min(1.0).powi(2),
        };
        let [first, second] = self.colours;
        std::array::from_fn(|c| first[c] + (second[c] - first[c]) * share)
    }
}

/// Two colours whose channels differ by `contrast`, lighter or darker, the first away from those in `seen`.
fn colours(random: &mut Random, seen: &[Colour], contrast: f64) -> [Colour; 2] {
    let first = distinct_colour(random, seen);
    // Towards the middle, so that no channel leaves the range.
    let sign = if first.iter().sum::<f64>() > 3.0 * 127.5 { -1.0 } else { 1.0 };
    [first, first.map(|v| (v + sign * random.range(0.7, 1.3) * contrast).clamp(10.0, 245.0))]
}

/// The one of some random colours that is farthest from all in `seen`.
fn distinct_colour(random: &mut Random, seen: &[Colour]) -> Colour {
    let distance = |a: &Colour, b: &Colour| (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f64>();
    let mut best = ([0.0; 3], f64::NEG_INFINITY);
    for _ in 0..8 {
        let colour = std::array::from_fn(|_| random.range(30.0, 225.0));
        let nearest = seen.iter().map(|other| distance(&colour, other)).fold(f64::INFINITY, f64::min);
        if nearest > best.1 {
            best = (colour, nearest);
        }
    }
    best.0
}

#[derive(Clone, Copy)]
enum Kind {
    Disc,
    /// A rectangle; the second half side as a share of the first.
    Square(f64),
    Triangle,
    /// The width of the ring as a share of its radius.
    Ring(f64),
}

impl Kind {
    /// The place in [`CLASSES`].
    fn label(self) -> u8 {
        match self {
            Self::Disc => 1,
            Self::Square(_) => 2,
            Self::Triangle => 3,
            Self::Ring(_) => 4,
        }
    }
}

struct Shape {
    kind: Kind,
    x: f64,
    y: f64,
    radius: f64,
    /// Cosine and sine of the angle it is turned by.
    turn: [f64; 2],
    texture: Texture,
}

impl Shape {
    fn draw(random: &mut Random, height: f64, width: f64, others: &[Self], seen: &[Colour]) -> Self {
        let side = height.min(width);
        let kind = match random.below(4) {
            0 => Kind::Disc,
            1 => Kind::Square(random.range(0.7, 1.0)),
            2 => Kind::Triangle,
            _ => Kind::Ring(random.range(0.4, 0.55)),
        };
        let radius = side * random.range(0.2, 0.3);
        // Shapes may overlap, yet a place with more room is preferred to one where little of the others stays visible.
        let mut best = ([0.0; 2], f64::NEG_INFINITY);
        for _ in 0..4 {
            let place = [random.range(0.12, 0.88) * width, random.range(0.12, 0.88) * height];
            let room =
                |other: &Self| (place[0] - other.x).hypot(place[1] - other.y) / (radius + other.radius);
            let least = others.iter().map(room).fold(f64::INFINITY, f64::min);
            if least > best.1 {
                best = (place, least);
            }
        }
        let angle = random.range(0.0, std::f64::consts::TAU);
        let texture = Texture::of_shape(random, kind, radius, side, seen);
        Self { kind, x: best.0[0], y: best.0[1], radius, turn: [angle.cos(), angle.sin()], texture }
    }

    /// A point in the shape's own coordinates: from its centre, along its sides.
    fn local(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.x, y - self.y);
        let [cos, sin] = self.turn;
        (dx * cos + dy * sin, dy * cos - dx * sin)
    }

    /// The distance of a point in the shape's coordinates to the outline in pixels, negative inside; exact inside and
    /// near straight edges.
    fn distance(&self, u: f64, v: f64) -> f64 {
        match self.kind {
            Kind::Disc => u.hypot(v) - self.radius,
            Kind::Square(aspect) => {
                let half = 0.85 * self.radius;
                (u.abs() - half).max(v.abs() - half * aspect)
            }
            Kind::Triangle => {
                let slanted = 0.75_f64.sqrt() * u.abs() - 0.5 * v;
                slanted.max(v) - 0.6 * self.radius
            }
            Kind::Ring(share) => {
                let half = 0.5 * share * self.radius;
                (u.hypot(v) - (self.radius - half)).abs() - half
            }
        }
    }
}

/// Brightness that changes evenly across the picture.
struct Light {
    gradient: [f64; 2],
    level: f64,
}

impl Light {
    fn draw(random: &mut Random) -> Self {
        let angle = random.range(0.0, std::f64::consts::TAU);
        let strength = random.range(0.0, 0.4);
        Self { gradient: [angle.cos() * strength, angle.sin() * strength], level: random.range(0.8, 1.1) }
    }

    /// The brightness at a place in shares of width and height.
    fn at(&self, x: f64, y: f64) -> f64 {
        self.level + self.gradient[0] * (x - 0.5) + self.gradient[1] * (y - 0.5)
    }
}
