//! Trainable factors of channels.

use crate::{Graph, GraphError, Init, NodeId, Op, Role};

impl Graph {
    /// Multiplication with a trainable value for each channel, all of them `initial` at first. The parameter's full
    /// name is `name`, its shape `[c, 1, 1]`.
    ///
    /// # Errors
    /// If a parameter of that name exists.
    pub fn scale(&mut self, name: &str, x: NodeId, initial: f32) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let factor =
            self.add_param(name.to_owned(), vec![s.c, 1, 1], Role::Factor, Init::Constant(initial))?;
        Ok(self.push(name, Op::Scale { factor }, vec![x], s))
    }
}
