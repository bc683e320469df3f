//! The truth that each output of a network learns: the labels, or a map made of them.

use serde::{Deserialize, Serialize};

/// The truth that an output of a network learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The label map, with the terms of the loss.
    #[default]
    Labels,
    /// Where the labels change, on one channel: pixels with another class at most [`BOUNDARY`](crate::BOUNDARY) rows and columns
    /// away. Binary cross-entropy in which either side has the weight of the other's share of the pixels (Xie and Tu 2015, equation
    /// 2; Xu et al. 2023, section 3.4); the terms of the loss and class weights do not count.
    Boundaries,
}
