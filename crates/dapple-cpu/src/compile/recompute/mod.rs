//! The fourth pass trades time for memory: feature maps are dropped and computed again when they are next read (gradient
//! checkpointing, Chen et al. 2016), in whatever order saves most for the least work (Kirisame et al. 2021, with the whole
//! pass known beforehand). Steps give the same bits each time, and so do the gradients.
//!
//! | file | from | to |
//! |---|---|---|
//! | [`trace`] | draft | what each step touches, makes and costs |
//! | [`schedule`] | an order of steps, some of them repeated | lives, length, draft |
//! | [`simulate`] | trace, a limit | the schedule that keeps it |
//! | [`search`] | draft, budget | the draft that fits with the least work |

mod schedule;
mod search;
mod simulate;
mod trace;

pub(super) use search::within;
