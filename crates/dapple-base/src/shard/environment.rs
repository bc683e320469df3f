//! The share that the starter of this process gives it: Slurm's job arrays, Kubernetes' indexed jobs, MPI.

use std::str::FromStr;

use super::share::{Shard, ShardError};

/// How a user names a share: `3/64`, or `auto` and `auto/64` for what the environment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardChoice {
    /// This one.
    Given(Shard),
    /// That of this process among those that were started together; with their number where it is given.
    Auto(Option<usize>),
}

impl FromStr for ShardChoice {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Auto(None)),
            Some(rest) => match rest.strip_prefix('/').map(|count| format!("1/{count}").parse::<Shard>()) {
                Some(Ok(first)) => Ok(Self::Auto(Some(first.count()))),
                // The text of the error is what was given.
                _ => Err(text.parse::<Shard>().expect_err("no number begins with a letter")),
            },
            None => text.parse().map(Self::Given),
        }
    }
}

/// Who says that this process is one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardSource {
    /// A rank of MPI: all were started by one command.
    Mpi,
    /// A task of a job array of Slurm: a script runs for each, and may give each other work.
    Slurm,
    /// A pod of an indexed job of Kubernetes, which does not say how many there are.
    Kubernetes,
}

impl ShardSource {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mpi => "rank of MPI",
            Self::Slurm => "task of a Slurm array",
            Self::Kubernetes => "pod of an indexed job",
        }
    }
}

/// A place among several processes: from 0, and the number of them where it is known.
type Place = (usize, Option<usize>);

impl ShardChoice {
    /// The share, with who gave it where that was not the user. `None` where there is nothing to share.
    ///
    /// `choice` is the user's. Without one, only the ranks of MPI are taken: they run one command, so that each doing all
    /// of it can only be a mistake. Tasks of a job array may have work of their own, which a share would cut short.
    /// `variable` reads a variable of the environment.
    ///
    /// # Errors
    /// A message for the user: a share is asked for and nothing gives one, two starters give one each, or they
    /// contradict the number that was given.
    pub fn resolve(
        choice: Option<Self>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<(Shard, Option<ShardSource>)>, String> {
        let wanted = match choice {
            Some(Self::Given(shard)) => return Ok(Some((shard, None))),
            Some(Self::Auto(count)) => count,
            None => {
                let rank = mpi(variable)?.filter(|(_, count)| count.is_none_or(|count| count > 1));
                return rank.map(|place| finish(place, None, ShardSource::Mpi)).transpose();
            }
        };
        let found = [
            (ShardSource::Mpi, mpi(variable)?),
            (ShardSource::Slurm, slurm(variable, wanted)?),
            (ShardSource::Kubernetes, kubernetes(variable)?),
        ];
        let mut found = found.into_iter().filter_map(|(source, place)| Some((source, place?)));
        match (found.next(), found.next()) {
            (Some((source, place)), None) => finish(place, wanted, source).map(Some),
            (Some((first, _)), Some((second, _))) => Err(format!(
                "--shard auto: this is both a {} and a {}; give the share with --shard I/N",
                first.words(),
                second.words()
            )),
            (None, _) => Err("--shard auto: neither Slurm (SLURM_ARRAY_TASK_ID), nor Kubernetes \
                              (JOB_COMPLETION_INDEX), nor MPI (OMPI_COMM_WORLD_RANK, PMI_RANK) started this process; \
                              give the share with --shard I/N"
                .to_owned()),
        }
    }

    /// The task of a Slurm array of several that this process is, which without a choice does all of the work.
    pub fn unused(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let id = variable("SLURM_ARRAY_TASK_ID")?;
        let count: usize = variable("SLURM_ARRAY_TASK_COUNT")?.parse().ok()?;
        (count > 1).then_some(id)
    }
}

fn finish(
    (place, known): Place,
    wanted: Option<usize>,
    source: ShardSource,
) -> Result<(Shard, Option<ShardSource>), String> {
    let count = match (wanted, known) {
        (Some(wanted), Some(known)) if wanted != known => {
            return Err(format!(
                "--shard auto/{wanted}: there are {known} processes, this being a {}; give the share with --shard I/N",
                source.words()
            ));
        }
        (Some(count), _) | (None, Some(count)) => count,
        (None, None) => {
            return Err(format!(
                "--shard auto: the environment of a {} does not say how many there are; give their number, as \
                 --shard auto/64",
                source.words()
            ));
        }
    };
    let shard = Shard::new(place + 1, count);
    let shard =
        shard.map_err(|error| format!("--shard auto, by the environment of a {}: {error}", source.words()));
    Ok((shard?, Some(source)))
}

/// A whole number in a variable; `None` where it is not set.
fn number(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Result<Option<usize>, String> {
    let Some(text) = variable(name) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| {
        format!(
            "{name}={text}: not a whole number; correct the environment, or give the share with --shard I/N"
        )
    })
}

/// The rank of Open MPI, MPICH, Intel MPI, and of Slurm's `srun` where it speaks their protocol.
fn mpi(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Place>, String> {
    for (rank, size) in [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")] {
        if let (Some(rank), Some(size)) = (number(variable, rank)?, number(variable, size)?) {
            return Ok(Some((rank, Some(size))));
        }
    }
    Ok(None)
}

/// The task of a job array whose numbers are evenly spaced; of others, and of tasks that are run again alone, the place among
/// all cannot be told.
fn slurm(variable: &dyn Fn(&str) -> Option<String>, wanted: Option<usize>) -> Result<Option<Place>, String> {
    let get = |name: &str| number(variable, name);
    let Some(id) = get("SLURM_ARRAY_TASK_ID")? else { return Ok(None) };
    let facts = (get("SLURM_ARRAY_TASK_COUNT")?, get("SLURM_ARRAY_TASK_MIN")?, get("SLURM_ARRAY_TASK_MAX")?);
    let (Some(count), Some(least), Some(most)) = facts else {
        return Err("--shard auto: SLURM_ARRAY_TASK_COUNT, _MIN or _MAX is not set beside SLURM_ARRAY_TASK_ID; give the \
                    share with --shard I/N"
            .to_owned());
    };
    let again = "if tasks of a larger array are run again, give their share by its number: --array=1-64 and --shard \
                 \"$SLURM_ARRAY_TASK_ID/64\"";
    if count == 1 {
        return Err(format!("--shard auto: the Slurm array has one task, {id}; {again}"));
    }
    let step = get("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
    let even = most >= least && count > 1 && (most - least) / step + 1 == count;
    let place = id.checked_sub(least).filter(|offset| even && offset % step == 0 && id <= most);
    match place {
        Some(offset) if wanted.is_none_or(|wanted| wanted == count) => Ok(Some((offset / step, Some(count)))),
        Some(_) => Err(format!(
            "--shard auto/{}: the Slurm array has {count} tasks; {again}",
            wanted.unwrap_or_default()
        )),
        None => Err(format!(
            "--shard auto: the numbers of the {count} tasks of this Slurm array ({least} to {most}) are not evenly spaced; \
             {again}"
        )),
    }
}

fn kubernetes(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Place>, String> {
    Ok(number(variable, "JOB_COMPLETION_INDEX")?.map(|index| (index, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share that variables give, as `number/count`, or the message.
    fn of(choice: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let choice = (!choice.is_empty()).then(|| choice.parse().expect("a choice"));
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let found = ShardChoice::resolve(choice, &variable)?;
        Ok(found.map(|(shard, _)| format!("{}/{}", shard.number(), shard.count())))
    }

    fn array<'a>(id: &'a str, count: &'a str, least: &'a str, most: &'a str) -> [(&'a str, &'a str); 4] {
        [
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_COUNT", count),
            ("SLURM_ARRAY_TASK_MIN", least),
            ("SLURM_ARRAY_TASK_MAX", most),
        ]
    }

    #[test]
    fn shares_are_taken_from_what_started_the_process() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(of("", &[]), Ok(None));
        assert_eq!(of("2/3", &array("9", "10", "0", "9")), some("2/3"));
        // One command for all ranks.
        let ranks = [("OMPI_COMM_WORLD_RANK", "3"), ("OMPI_COMM_WORLD_SIZE", "4")];
        assert_eq!(of("", &ranks), some("4/4"));
        assert_eq!(of("auto", &ranks), some("4/4"));
        assert_eq!(of("", &[("PMI_RANK", "0"), ("PMI_SIZE", "2")]), some("1/2"));
        assert_eq!(of("", &[("PMI_RANK", "0"), ("PMI_SIZE", "1")]), Ok(None));
        // Tasks of an array may have work of their own.
        assert_eq!(of("", &array("7", "64", "0", "63")), Ok(None));
        assert_eq!(of("auto", &array("7", "64", "0", "63")), some("8/64"));
        assert_eq!(of("auto/64", &array("64", "64", "1", "64")), some("64/64"));
        let steps = [&array("6", "4", "0", "6")[..], &[("SLURM_ARRAY_TASK_STEP", "2")]].concat();
        assert_eq!(of("auto", &steps), some("4/4"));
        assert_eq!(of("auto/8", &[("JOB_COMPLETION_INDEX", "0")]), some("1/8"));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (choice, variables, words) in [
            ("auto", vec![], "neither Slurm"),
            ("auto", vec![("JOB_COMPLETION_INDEX", "0")], "auto/64"),
            ("auto/8", vec![("JOB_COMPLETION_INDEX", "8")], "counted from 1"),
            ("auto/8", vec![("PMI_RANK", "0"), ("PMI_SIZE", "4")], "4 processes"),
            ("auto", vec![("PMI_RANK", "x"), ("PMI_SIZE", "4")], "PMI_RANK=x"),
            ("auto", array("7", "1", "7", "7").to_vec(), "one task"),
            ("auto", array("7", "2", "7", "12").to_vec(), "not evenly spaced"),
            ("auto/64", array("7", "2", "7", "8").to_vec(), "has 2 tasks"),
            ("auto", array("7", "2", "7", "8")[..2].to_vec(), "not set"),
        ] {
            let error = of(choice, &variables).expect_err(words);
            assert!(error.contains(words) && !error.contains("  "), "{error}");
        }
        let both = [&array("7", "64", "0", "63")[..], &[("PMI_RANK", "0"), ("PMI_SIZE", "4")]].concat();
        assert!(of("auto", &both).is_err_and(|error| error.contains("both")));
        for wrong in ["auto/", "auto/0", "auto64", "Auto", "auto/x"] {
            assert!(wrong.parse::<ShardChoice>().is_err(), "{wrong}");
        }
    }
}
