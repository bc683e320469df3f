//! The processes of a job of MPI, as a training sees them.

use std::env;
use std::sync::Arc;

use dapple::cpu::cores;
use dapple::device;
use dapple::train::TrainConfig;
use dapple_base::{Alone, Ranks};

use super::device::Device;
use crate::cli::failure::Failure;

/// Variables in which launchers tell a process how many there are: Open MPI, MPICH and its family, MVAPICH.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"];
/// The one that Slurm has, which counts where it started the processes over PMIx.
const SLURM_SIZE: &str = "SLURM_STEP_NUM_TASKS";
const PMIX: &str = "PMIX_RANK";

/// The processes that a launcher started together; one alone without a launcher.
pub struct Cluster {
    ranks: Arc<dyn Ranks>,
    /// Number of this process among those of its machine.
    on_machine: usize,
    /// Processes that share the cores of this one, itself among them.
    sharers: usize,
    /// Ends MPI when the work is done.
    #[cfg(feature = "mpi")]
    _mpi: Option<dapple_mpi::Mpi>,
}

impl Cluster {
    /// Joins the others.
    ///
    /// # Errors
    /// In a program without MPI that is one of several processes, which would each do all the work by itself; where MPI
    /// cannot begin, or sees other processes than the launcher started.
    pub fn join() -> Result<Self, Failure> {
        match launched(&|name| env::var(name).ok()) {
            Some(size) if size > 1 => Self::of_launched(size),
            _ => Ok(Self {
                ranks: Arc::new(Alone),
                on_machine: 0,
                sharers: 1,
                #[cfg(feature = "mpi")]
                _mpi: None,
            }),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn of_launched(size: usize) -> Result<Self, Failure> {
        Err(Failure::input(format!(
            "this is one of {size} processes of mpirun, but this program was built without MPI, so that each of them would train \
             by itself; build it with `cargo build --release --features mpi`, or start one process (the guide, \"Training over \
             MPI\")"
        )))
    }

    #[cfg(feature = "mpi")]
    fn of_launched(size: usize) -> Result<Self, Failure> {
        let mpi = dapple_mpi::Mpi::begin()?;
        let ranks: Arc<dyn Ranks> = mpi.ranks();
        if ranks.size() != size {
            return Err(Failure::input(format!(
                "the launcher started {size} processes, but MPI sees {}: this program was built with another MPI than that of \
                 this mpirun; start it with that one's, or build it with this one's (its mpicc first in the path)",
                ranks.size()
            )));
        }
        let (machine, cores) = place();
        let all = ranks.gather(format!("{machine}\n{cores}").as_bytes())?;
        let mine = &all[ranks.rank()];
        let machine_of = |place: &[u8]| place.split(|&byte| byte == b'\n').next().map(<[u8]>::to_vec);
        let before = &all[..ranks.rank()];
        Ok(Self {
            on_machine: before.iter().filter(|other| machine_of(other) == machine_of(mine)).count(),
            sharers: all.iter().filter(|other| *other == mine).count(),
            ranks,
            _mpi: Some(mpi),
        })
    }

    /// The processes.
    pub fn ranks(&self) -> &Arc<dyn Ranks> {
        &self.ranks
    }

    /// Whether there are others.
    pub fn is_many(&self) -> bool {
        self.ranks.size() > 1
    }

    /// The device of this process: a card of its own where several are in its machine and none was chosen by number, and its share
    /// of the cores where no number of threads was given.
    pub fn device(&self, given: &Device, config: &TrainConfig) -> Device {
        if !self.is_many() {
            return given.clone();
        }
        let name = given.device.as_deref().unwrap_or(&config.device);
        let chosen = match name.contains(':') {
            true => name.to_owned(),
            false => self.card(&device::choose(name).device),
        };
        let threads = given.threads.or(config.threads).unwrap_or((cores() / self.sharers).max(1));
        Device { device: Some(chosen), threads: Some(threads), ..given.clone() }
    }

    /// The card of this process among those of the same kind.
    fn card(&self, device: &str) -> String {
        let kind = device.split(':').next().unwrap_or(device);
        let of_kind = |name: &str| name.split_once(':').is_some_and(|(other, _)| other == kind);
        let cards = device::devices().iter().filter(|card| card.present && of_kind(&card.name)).count();
        match cards {
            0 => device.to_owned(),
            _ => format!("{kind}:{}", self.on_machine % cards),
        }
    }
}

/// The number of processes that a launcher started, by its variables.
fn launched(variable: &dyn Fn(&str) -> Option<String>) -> Option<usize> {
    let slurm = variable(PMIX).and_then(|_| variable(SLURM_SIZE));
    let sizes = SIZES.iter().map(|name| variable(name)).chain([slurm]);
    sizes.flatten().find_map(|size| size.trim().parse().ok())
}

/// The machine, and the cores of it that this process may use.
#[cfg(feature = "mpi")]
fn place() -> (String, String) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let machine = read("/proc/sys/kernel/random/boot_id").trim().to_owned();
    let status = read("/proc/self/status");
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    (machine, cores.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_told_by_their_variables() {
        let with = |set: &[(&str, &str)]| {
            launched(&|name| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("OMPI_COMM_WORLD_SIZE", "4")]), Some(4));
        assert_eq!(with(&[("PMI_SIZE", "2")]), Some(2));
        // Slurm sets its own for every job; they count for processes that speak to each other.
        assert_eq!(with(&[(SLURM_SIZE, "8")]), None);
        assert_eq!(with(&[(SLURM_SIZE, "8"), (PMIX, "3")]), Some(8));
    }
}
