//! Values of all parameters of a network.

use crate::{Graph, Init, ParamSpec};
use dapple_base::InputFault;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The values of a network's parameters in two flat buffers, in PyTorch's order within each parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Places, shapes and roles of the parameters.
    pub specs: Vec<ParamSpec>,
    /// Trainable values.
    pub values: Vec<f32>,
    /// Running statistics.
    pub statistics: Vec<f32>,
}

/// The fate of the entries of a state dict that was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters that got their values.
    pub loaded: Vec<String>,
    /// Parameters that the state dict does not have; they keep their values.
    pub missing: Vec<String>,
    /// Entries that the network does not have.
    pub unexpected: Vec<String>,
    /// Parameters whose shape differs (name, here, there); they keep their values.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
}

/// Values that do not fit their network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// No parameter of that name.
    #[error("the network has no parameter `{0}`")]
    Unknown(String),
    /// Another number of values.
    #[error("parameter `{name}` has {expected} values, {got} were given")]
    Length {
        /// Parameter.
        name: String,
        /// Values it has.
        expected: usize,
        /// Values given.
        got: usize,
    },
}

impl InputFault for StateError {
    fn is_input_fault(&self) -> bool {
        true
    }
}

impl State {
    /// Initial values: each parameter draws from its own ChaCha8 stream (seed and FNV-1a hash of its name), so
    /// that they depend neither on the order nor on other parameters.
    pub fn init(graph: &Graph, seed: u64) -> Self {
        let mut state = Self {
            specs: graph.params().to_vec(),
            values: vec![0.0; graph.trainable_len()],
            statistics: vec![0.0; graph.statistics_len()],
        };
        for i in 0..state.specs.len() {
            let ParamSpec { init, name, shape, .. } = state.specs[i].clone();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(fnv1a(name.as_bytes()));
            fill(init, &shape, state.slice_mut(i), &mut rng);
        }
        state
    }

    /// Values of one parameter by its index.
    ///
    /// # Panics
    /// For an index that does not exist.
    pub fn slice(&self, index: usize) -> &[f32] {
        let spec = &self.specs[index];
        let buffer = if spec.role.trainable() { &self.values } else { &self.statistics };
        &buffer[spec.offset..spec.offset + spec.len()]
    }

    /// Values of one parameter by its index.
    ///
    /// # Panics
    /// For an index that does not exist.
    pub fn slice_mut(&mut self, index: usize) -> &mut [f32] {
        let spec = &self.specs[index];
        let buffer = if spec.role.trainable() { &mut self.values } else { &mut self.statistics };
        &mut buffer[spec.offset..spec.offset + spec.len()]
    }

    /// Values of the parameter of that name.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.specs.iter().position(|s| s.name == name).map(|i| self.slice(i))
    }

    /// Overwrites the parameter of that name.
    ///
    /// # Errors
    /// If there is no such parameter or it has another number of values.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<(), StateError> {
        let index = self
            .specs
            .iter()
            .position(|s| s.name == name)
            .ok_or_else(|| StateError::Unknown(name.to_owned()))?;
        let target = self.slice_mut(index);
        if target.len() != values.len() {
            return Err(StateError::Length { name: name.into(), expected: target.len(), got: values.len() });
        }
        target.copy_from_slice(values);
        Ok(())
    }

    /// Takes over what a state dict (name, shape, values) has for this network; nothing else changes.
    pub fn load<'a>(
        &mut self,
        entries: impl IntoIterator<Item = (&'a str, &'a [usize], &'a [f32])>,
    ) -> LoadReport {
        let mut report = LoadReport::default();
        let mut seen = vec![false; self.specs.len()];
        let index: std::collections::HashMap<String, usize> =
            self.specs.iter().enumerate().map(|(i, s)| (s.name.clone(), i)).collect();
        for (name, shape, values) in entries {
            let Some(&i) = index.get(name) else {
                report.unexpected.push(name.to_owned());
                continue;
            };
            seen[i] = true;
            if self.specs[i].shape != shape || self.specs[i].len() != values.len() {
                report.mismatched.push((name.to_owned(), self.specs[i].shape.clone(), shape.to_vec()));
            } else {
                self.slice_mut(i).copy_from_slice(values);
                report.loaded.push(name.to_owned());
            }
        }
        report.missing =
            self.specs.iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(s, _)| s.name.clone()).collect();
        report
    }
}

/// Bilinear weights `[in, out, kh, kw]`.
fn interpolate(shape: &[usize], values: &mut [f32]) {
    let &[_, outs, h, w] = shape else {
        unreachable!("only transposed convolutions are made with this initial value");
    };
    // The centre of the kernel, and the distance at which its weight ends.
    let at = |i: usize, extent: usize| {
        let reach = extent.div_ceil(2) as f32;
        let centre = if extent % 2 == 1 { reach - 1.0 } else { reach - 0.5 };
        1.0 - (i as f32 - centre).abs() / reach
    };
    for (index, kernel) in values.chunks_exact_mut(h * w).enumerate() {
        let own = index / outs == index % outs;
        for (tap, value) in kernel.iter_mut().enumerate() {
            *value = if own { at(tap / w, h) * at(tap % w, w) } else { 0.0 };
        }
    }
}

fn fill(init: Init, shape: &[usize], values: &mut [f32], rng: &mut ChaCha8Rng) {
    // 24 random bits in (0, 1): exact in f32, never 0 or 1.
    let mut unit = || ((rng.next_u32() >> 8) as f32 + 0.5) * (1.0 / 16_777_216.0);
    match init {
        Init::Bilinear => interpolate(shape, values),
        Init::Constant(c) => values.fill(c),
        Init::Uniform { bound } => values.iter_mut().for_each(|v| *v = (2.0 * unit() - 1.0) * bound),
        // Box and Muller 1958.
        Init::Normal { std } => values.chunks_mut(2).for_each(|pair| {
            let radius = (-2.0 * unit().ln()).sqrt() * std;
            let (sin, cos) = (std::f32::consts::TAU * unit()).sin_cos();
            pair[0] = radius * cos;
            if let Some(second) = pair.get_mut(1) {
                *second = radius * sin;
            }
        }),
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}
