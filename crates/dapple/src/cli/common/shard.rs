//! `--shard`: a share of the work of a command that runs several times.

use clap::Args;
use dapple_base::{Shard, ShardChoice};

use crate::cli::failure::Failure;

#[derive(Clone, Copy, Debug, Args)]
pub struct Sharding {
    /// Do one of N shares of the work, I from 1 to N; auto takes it from Slurm's job array or MPI, auto/N from Kubernetes'
    /// indexed job [default: all of the work, but a rank of MPI takes its share]
    #[arg(long, value_name = "I/N|auto")]
    pub shard: Option<ShardChoice>,
}

impl Sharding {
    /// The share to do. One that the user did not give by its number is told.
    pub fn resolve(self, quiet: bool) -> Result<Option<Shard>, Failure> {
        let variable = |name: &str| std::env::var(name).ok();
        let found = ShardChoice::resolve(self.shard, &variable).map_err(Failure::input)?;
        // Where nobody asked for a share, it is told in any case.
        if let Some((shard, Some(source))) = found
            && (!quiet || self.shard.is_none())
        {
            note!("note: {shard}, by the place of this {} (--shard 1/1 does all)", source.words());
        }
        if let (None, false, Some(task)) = (found, quiet, ShardChoice::unused(&variable)) {
            note!("note: task {task} of a Slurm array does all of this work; --shard auto takes a share");
        }
        Ok(found.map(|(shard, _)| shard))
    }
}
