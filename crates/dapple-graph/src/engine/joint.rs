//! A trainer's place among ranks that learn from the same batches together.

use std::sync::Arc;

use dapple_base::Ranks;

/// The place of a trainer among ranks that divide each batch among them: consecutive images, in the order of the ranks.
#[derive(Clone, Debug)]
pub struct Joint {
    /// The ranks, this one among them.
    pub ranks: Arc<dyn Ranks>,
    /// Whether batch norms take the statistics of the whole batch; else each rank takes those of its images.
    pub norms: bool,
    /// Images of the whole batch.
    pub images: usize,
    /// Images of the batch before this rank's.
    pub first: usize,
}
