//! Max pooling and its undoing.

use crate::{Graph, GraphError, MaxPool, NodeId, Op};

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
            pool.output_size([s.h, s.w]).ok_or_else(|| bad("too small to pool; use a larger image"))?;
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
}
