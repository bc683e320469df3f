//! Average pooling, with windows of one size and adaptive.

use crate::{AvgPool, Graph, GraphError, NodeId, Op};

impl Graph {
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

    /// Mean over windows of one size, the padding's zeros included.
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
            pool.output_size([s.h, s.w]).ok_or_else(|| bad("too small to pool; use a larger image"))?;
        Ok(self.push(&name, Op::AvgPool(*pool), vec![x], s.with_size(h, w)))
    }
}
