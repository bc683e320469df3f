//! Which arena offsets a step has: to learn the lives of buffers, and to put their final places in.

use super::Kernel;
use crate::kernels::attention::Attention;
use crate::kernels::norm::Norm;
use crate::kernels::operand::{Operand, Target};

fn visit_operand(operand: &mut Operand, f: &mut dyn FnMut(&mut usize)) {
    for block in &mut operand.blocks {
        f(&mut block.offset);
        if let Some((scale, shift)) = &mut block.affine {
            f(scale);
            f(shift);
        }
    }
}

pub(crate) fn visit_target(target: &mut Target, f: &mut dyn FnMut(&mut usize)) {
    target.blocks.iter_mut().for_each(|b| f(&mut b.offset));
}

fn visit_attention(attention: &mut Attention, f: &mut dyn FnMut(&mut usize)) {
    visit_operand(&mut attention.q, f);
    visit_operand(&mut attention.k, f);
    visit_operand(&mut attention.v, f);
}

impl Kernel {
    /// Shows every arena offset of the step to `f`, which may change it.
    pub fn visit(&mut self, f: &mut dyn FnMut(&mut usize)) {
        let norm_places = |norm: &mut Norm, f: &mut dyn FnMut(&mut usize)| {
            visit_operand(&mut norm.source, f);
            [&mut norm.scale, &mut norm.shift, &mut norm.mean, &mut norm.inverse].into_iter().for_each(f);
        };
        match self {
            Self::Conv3x3(c) => {
                visit_operand(&mut c.input, f);
                visit_target(&mut c.output, f);
                c.residual.iter_mut().for_each(|r| visit_operand(r, f));
            }
            Self::ConvThin(c) => {
                visit_operand(&mut c.input, f);
                visit_target(&mut c.output, f);
            }
            Self::ConvGemm(c) => {
                visit_operand(&mut c.input, f);
                visit_target(&mut c.output, f);
                c.residual.iter_mut().for_each(|r| visit_operand(r, f));
            }
            Self::NormTrain(norm) | Self::NormEval(norm) => norm_places(norm, f),
            Self::MaxPool { pool, from, to }
            | Self::Spread { pool, from, to }
            | Self::Collect { pool, from, to } => {
                pool.positions.iter_mut().for_each(&mut *f);
                visit_operand(from, f);
                visit_target(to, f);
            }
            Self::Copy { from, to, .. }
            | Self::Resize { from, to, .. }
            | Self::Pointwise { from, to, .. }
            | Self::Dropout { from, to, .. } => {
                visit_operand(from, f);
                visit_target(to, f);
            }
            Self::CopyChannels(c) => {
                f(&mut c.from);
                f(&mut c.to);
            }
            Self::Zero { offset, .. } => f(offset),
            Self::Add { a, b, to } | Self::Multiply { a, b, to, .. } => {
                visit_operand(a, f);
                visit_operand(b, f);
                visit_target(to, f);
            }
            Self::Conv3x3Weights(c) => {
                visit_operand(&mut c.input, f);
                visit_operand(&mut c.gradient, f);
            }
            Self::GemmWeights(c) => {
                visit_operand(&mut c.gathered, f);
                visit_operand(&mut c.points, f);
            }
            Self::ClearBetweenGroups(_) | Self::ZeroBiasGradient { .. } => {}
            Self::BiasGradient { gradient, .. } => visit_operand(gradient, f),
            Self::NormGradient { norm, gradient, to, .. } => {
                norm_places(norm, f);
                visit_operand(gradient, f);
                visit_target(to, f);
            }
            Self::ReluGradient { value, gradient, to }
            | Self::PointwiseGradient { value, gradient, to, .. } => {
                visit_operand(value, f);
                visit_operand(gradient, f);
                visit_target(to, f);
            }
            Self::Depthwise(c) => {
                visit_operand(&mut c.input, f);
                visit_target(&mut c.output, f);
            }
            Self::DepthwiseWeights(c) => {
                visit_operand(&mut c.input, f);
                visit_operand(&mut c.gradient, f);
            }
            Self::Factors { scale, shift, .. } => {
                f(scale);
                f(shift);
            }
            Self::LayerNorm { norm, to } => {
                visit_operand(&mut norm.source, f);
                visit_target(to, f);
            }
            Self::LayerNormGradient { norm, gradient, to } => {
                visit_operand(&mut norm.source, f);
                visit_operand(gradient, f);
                to.iter_mut().for_each(|to| visit_target(to, f));
            }
            Self::GroupNorm { norm, to } => {
                visit_operand(&mut norm.source, f);
                visit_target(to, f);
            }
            Self::GroupNormGradient { norm, gradient, to } => {
                visit_operand(&mut norm.source, f);
                visit_operand(gradient, f);
                to.iter_mut().for_each(|to| visit_target(to, f));
            }
            Self::Attention { attention, to } => {
                visit_attention(attention, f);
                visit_target(to, f);
            }
            Self::AttentionGradient(gradient) => {
                visit_attention(&mut gradient.forward, f);
                visit_operand(&mut gradient.gradient, f);
                gradient.to.iter_mut().flatten().for_each(|to| visit_target(to, f));
            }
            Self::GateGradient { sums, to } => {
                visit_operand(&mut sums.a, f);
                visit_operand(&mut sums.b, f);
                visit_target(to, f);
            }
            Self::FactorGradient { sums, .. } => {
                visit_operand(&mut sums.a, f);
                visit_operand(&mut sums.b, f);
            }
        }
    }

    /// Where a step of the forward pass writes maps that it could write again; empty for all other steps, those that
    /// move running statistics among them.
    pub fn makes(&self) -> Vec<usize> {
        let first = |to: &Target| to.blocks[0].offset;
        match self {
            Self::Conv3x3(c) => vec![first(&c.output)],
            Self::ConvGemm(c) => vec![first(&c.output)],
            Self::ConvThin(c) => vec![first(&c.output)],
            Self::Depthwise(c) => vec![first(&c.output)],
            Self::MaxPool { pool, to, .. } => std::iter::once(first(to)).chain(pool.positions).collect(),
            Self::Spread { to, .. }
            | Self::Copy { to, .. }
            | Self::Add { to, .. }
            | Self::Multiply { to, .. }
            | Self::Resize { to, .. }
            | Self::Pointwise { to, .. }
            | Self::LayerNorm { to, .. }
            | Self::GroupNorm { to, .. }
            | Self::Attention { to, .. }
            | Self::Dropout { to, .. } => vec![first(to)],
            Self::CopyChannels(c) => vec![c.to],
            Self::Zero { offset, .. } => vec![*offset],
            Self::NormTrain(_)
            | Self::NormEval(_)
            | Self::Factors { .. }
            | Self::Collect { .. }
            | Self::Conv3x3Weights(_)
            | Self::GemmWeights(_)
            | Self::DepthwiseWeights(_)
            | Self::ClearBetweenGroups(_)
            | Self::BiasGradient { .. }
            | Self::ZeroBiasGradient { .. }
            | Self::NormGradient { .. }
            | Self::ReluGradient { .. }
            | Self::PointwiseGradient { .. }
            | Self::GateGradient { .. }
            | Self::FactorGradient { .. }
            | Self::LayerNormGradient { .. }
            | Self::GroupNormGradient { .. }
            | Self::AttentionGradient(_) => Vec::new(),
        }
    }

    /// The maps that the step writes, values or gradients.
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Conv3x3(c) => vec![&c.output],
            Self::ConvGemm(c) => vec![&c.output],
            Self::ConvThin(c) => vec![&c.output],
            Self::Depthwise(c) => vec![&c.output],
            Self::MaxPool { to, .. }
            | Self::Spread { to, .. }
            | Self::Collect { to, .. }
            | Self::Copy { to, .. }
            | Self::Resize { to, .. }
            | Self::Pointwise { to, .. }
            | Self::Dropout { to, .. }
            | Self::Add { to, .. }
            | Self::Multiply { to, .. }
            | Self::LayerNorm { to, .. }
            | Self::GroupNorm { to, .. }
            | Self::Attention { to, .. }
            | Self::NormGradient { to, .. }
            | Self::ReluGradient { to, .. }
            | Self::PointwiseGradient { to, .. }
            | Self::GateGradient { to, .. } => vec![to],
            Self::LayerNormGradient { to, .. } | Self::GroupNormGradient { to, .. } => to.iter().collect(),
            Self::AttentionGradient(gradient) => gradient.to.iter().flatten().collect(),
            Self::CopyChannels(_)
            | Self::Zero { .. }
            | Self::NormTrain(_)
            | Self::NormEval(_)
            | Self::Factors { .. }
            | Self::Conv3x3Weights(_)
            | Self::GemmWeights(_)
            | Self::DepthwiseWeights(_)
            | Self::ClearBetweenGroups(_)
            | Self::BiasGradient { .. }
            | Self::ZeroBiasGradient { .. }
            | Self::FactorGradient { .. } => Vec::new(),
        }
    }

    /// Whether it does its node's multiply-adds (a bundle of a grouped convolution: some of them).
    pub fn multiplies(&self) -> bool {
        matches!(
            self,
            Self::Conv3x3(_)
                | Self::ConvGemm(_)
                | Self::ConvThin(_)
                | Self::Depthwise(_)
                | Self::Attention { .. }
        )
    }
}
