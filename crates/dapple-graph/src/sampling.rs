//! Builders of the operations that change height and width: pooling, sampling, padding.

use crate::infer::{avg_pool_size, pool_size};
use crate::{AvgPool, Graph, GraphError, Interpolation, MaxPool, NodeId, Op};

impl Graph {
    /// Max pooling.
    ///
    /// # Errors
    /// If the kernel is larger than the padded input, or the padding larger than half the kernel.
    pub fn max_pool(&mut self, x: NodeId, pool: &MaxPool) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let name = format!("max_pool.{}", self.nodes().len());
        let bad =
            |why: &str| GraphError::Invalid { op: "max_pool", name: name.clone(), shape: s, why: why.into() };
        let [kh, kw] = pool.kernel;
        if kh == 0 || kw == 0 || pool.stride.contains(&0) || kh * kw > 256 {
            return Err(bad("kernel and stride must be at least 1, the kernel at most 256 positions"));
        }
        if pool.padding[0] > kh / 2 || pool.padding[1] > kw / 2 {
            return Err(bad("the padding may be at most half the kernel"));
        }
        let [h, w] =
            pool_size(pool, [s.h, s.w]).ok_or_else(|| bad("too small to pool; use a larger image"))?;
        Ok(self.push(&name, Op::MaxPool(*pool), vec![x], s.with_size(h, w)))
    }

    /// Max unpooling with the positions kept by `pool`.
    ///
    /// # Errors
    /// If `pool` is not a pooling without overlaps whose output has the shape of `x`.
    pub fn max_unpool(&mut self, x: NodeId, pool: NodeId) -> Result<NodeId, GraphError> {
        let (s, p) = (self.check(x)?, self.check(pool)?);
        let name = format!("max_unpool.{}", self.nodes().len());
        let Op::MaxPool(settings) = &self.node(pool).op else {
            let why = format!("`{}` is not a max pooling", self.node(pool).name);
            return Err(GraphError::Invalid { op: "max_unpool", name, shape: s, why });
        };
        if settings.stride[0] < settings.kernel[0] || settings.stride[1] < settings.kernel[1] {
            let why = "its pooling's windows overlap, so that positions can repeat".into();
            return Err(GraphError::Invalid { op: "max_unpool", name, shape: s, why });
        }
        if s != p {
            let why = "the input must have the shape of the pooling's output";
            return Err(GraphError::Mismatch { op: "max_unpool", name, left: s, right: p, why });
        }
        let shape = self.shape(self.node(pool).inputs[0]);
        Ok(self.push(&name, Op::MaxUnpool { pool }, vec![x], shape))
    }

    /// Sampling at the size of `like`.
    ///
    /// # Errors
    /// If a node is not of this graph.
    pub fn resize(
        &mut self,
        x: NodeId,
        like: NodeId,
        interpolation: Interpolation,
    ) -> Result<NodeId, GraphError> {
        let (s, l) = (self.check(x)?, self.check(like)?);
        Ok(self.push_unnamed(Op::Resize { like, interpolation }, vec![x], s.with_size(l.h, l.w)))
    }

    /// Sampling at `factor` times the size.
    ///
    /// # Errors
    /// If the factor is zero.
    pub fn upscale(
        &mut self,
        x: NodeId,
        factor: usize,
        interpolation: Interpolation,
    ) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if factor == 0 {
            return Err(GraphError::Config("upscale: the factor must be at least 1".into()));
        }
        let shape = s.with_size(s.h * factor, s.w * factor);
        Ok(self.push_unnamed(Op::Upscale { factor, interpolation }, vec![x], shape))
    }

    /// Centred zero-padding or cropping to the size of `like`.
    ///
    /// # Errors
    /// If a node is not of this graph.
    pub fn fit_to(&mut self, x: NodeId, like: NodeId) -> Result<NodeId, GraphError> {
        let (s, l) = (self.check(x)?, self.check(like)?);
        Ok(self.push_unnamed(Op::FitTo { like }, vec![x], s.with_size(l.h, l.w)))
    }

    /// Mean over windows that divide the map into `size` rows and columns, as PyTorch's adaptive average pooling:
    /// row `i` is the mean of rows `floor(i * h / size[0]) .. ceil((i + 1) * h / size[0])`. `[1, 1]` is the mean of
    /// each image. A size larger than the map repeats pixels.
    ///
    /// # Errors
    /// If an extent of the size or of the map is zero.
    pub fn adaptive_avg_pool(&mut self, x: NodeId, size: [usize; 2]) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if size.contains(&0) || s.h == 0 || s.w == 0 {
            let name = format!("adaptive_avg_pool.{}", self.nodes().len());
            let why = format!("cannot be divided into {} x {} windows", size[0], size[1]);
            return Err(GraphError::Invalid { op: "adaptive_avg_pool", name, shape: s, why });
        }
        Ok(self.push_unnamed(Op::AdaptiveAvgPool, vec![x], s.with_size(size[0], size[1])))
    }

    /// Means over windows of one size, the zeros of the padding included.
    ///
    /// # Errors
    /// If the kernel is larger than the padded input, or the padding larger than half the kernel.
    pub fn avg_pool(&mut self, x: NodeId, pool: &AvgPool) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let name = format!("avg_pool.{}", self.nodes().len());
        let bad =
            |why: &str| GraphError::Invalid { op: "avg_pool", name: name.clone(), shape: s, why: why.into() };
        if pool.kernel.contains(&0) || pool.stride.contains(&0) {
            return Err(bad("kernel and stride must be at least 1"));
        }
        if (0..2).any(|i| pool.padding[i] > pool.kernel[i] / 2) {
            return Err(bad("the padding may be at most half the kernel"));
        }
        let [h, w] =
            avg_pool_size(pool, [s.h, s.w]).ok_or_else(|| bad("too small to pool; use a larger image"))?;
        Ok(self.push(&name, Op::AvgPool(*pool), vec![x], s.with_size(h, w)))
    }
}
