//! `--recipe auto`: settings from what is known of the data and of the machine, in the manner of nnU-Net (Isensee et al.
//! 2021): a few rules, each with its reason.
//!
//! [`choose`] is a pure function of [`DataFacts`], [`MachineFacts`] and [`Wishes`]; [`DataFacts::of`] and
//! [`MachineFacts::here`] find the facts.

mod choice;
mod cost;
mod data_facts;
mod machine_facts;
mod pretrained;
mod rules;
mod wishes;
mod words;

pub use choice::{Choice, Chosen};
pub use data_facts::DataFacts;
pub use machine_facts::MachineFacts;
pub use pretrained::{Origin, Pretrained};
pub use rules::{NAME, choose};
pub use wishes::{Profile, UnknownProfile, Wishes};
