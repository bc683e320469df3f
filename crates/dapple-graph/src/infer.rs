//! Output sizes of operations.

use crate::{AvgPool, Conv2d, ConvTranspose2d, MaxPool};

/// `floor((input + 2 padding - dilation (kernel - 1) - 1) / stride) + 1` both ways, or `None` where the
/// kernel is larger than the padded input.
pub(crate) fn conv_size(conv: &Conv2d, size: [usize; 2]) -> Option<[usize; 2]> {
    each(|i| {
        let span = conv.dilation[i] * (conv.kernel[i] - 1) + 1;
        Some((size[i] + 2 * conv.padding[i]).checked_sub(span)? / conv.stride[i] + 1)
    })
}

/// `(input - 1) stride - 2 padding + kernel` both ways, or `None` where nothing is left.
pub(crate) fn conv_transpose_size(conv: &ConvTranspose2d, size: [usize; 2]) -> Option<[usize; 2]> {
    each(|i| {
        let full = size[i].checked_sub(1)? * conv.stride[i] + conv.kernel[i];
        full.checked_sub(2 * conv.padding[i]).filter(|&s| s > 0)
    })
}

/// PyTorch's rule: in ceil mode a last window that would start in the padding behind the image is dropped.
pub(crate) fn pool_size(pool: &MaxPool, size: [usize; 2]) -> Option<[usize; 2]> {
    each(|i| {
        let span = size[i] + 2 * pool.padding[i];
        if pool.ceil {
            // A window may reach past the padded input as long as it starts inside the image.
            let mut out = (span + pool.stride[i] - 1).checked_sub(pool.kernel[i])? / pool.stride[i] + 1;
            if (out - 1) * pool.stride[i] >= size[i] + pool.padding[i] {
                out -= 1;
            }
            (out > 0).then_some(out)
        } else {
            Some(span.checked_sub(pool.kernel[i])? / pool.stride[i] + 1)
        }
    })
}

/// `floor((input + 2 padding - kernel) / stride) + 1` both ways, or `None` where the kernel is larger than the padded input.
pub(crate) fn avg_pool_size(pool: &AvgPool, size: [usize; 2]) -> Option<[usize; 2]> {
    each(|i| Some((size[i] + 2 * pool.padding[i]).checked_sub(pool.kernel[i])? / pool.stride[i] + 1))
}

fn each(f: impl Fn(usize) -> Option<usize>) -> Option<[usize; 2]> {
    Some([f(0)?, f(1)?])
}
