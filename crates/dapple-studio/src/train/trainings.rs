//! The trainings of a folder: one at a time, in a thread of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dapple_base::{StopFlag, contain, write_atomic};
use dapple_run::{Run, RunFolder};
use dapple_serve::ServeError;
use dapple_train::{Event, Observer};

use super::program::{Plan, Program, ProgramError};
use super::run_state::{CHOICES, RunState, Standing};
use crate::error::{Result, StudioError};
use crate::events::Events;
use crate::store::Places;

/// The longest training, in minutes.
const LONGEST: u32 = 600;

/// The shortest time between two news of a training.
const EVERY: Duration = Duration::from_secs(1);

/// The training in progress.
#[derive(Debug)]
struct Active {
    name: String,
    stop: StopFlag,
    /// Whether its folder is there yet.
    begun: bool,
}

#[derive(Debug, Default)]
struct Inner {
    active: Option<Active>,
    thread: Option<JoinHandle<()>>,
    /// Trainings of this session that failed before they had a folder.
    stillborn: BTreeMap<String, String>,
}

/// The trainings in `runs/`.
pub struct Trainings {
    places: Places,
    program: Arc<dyn Program>,
    events: Events,
    /// Called when a training begins and ends.
    busy: Box<dyn Fn(bool) + Send + Sync>,
    inner: Mutex<Inner>,
}

/// What a thread is to train.
enum Task {
    New { minutes: u32 },
    Resumed,
}

impl Trainings {
    /// Those of a folder. `busy` is told when the processor is needed, and when no longer.
    pub fn new(
        places: Places,
        program: Arc<dyn Program>,
        events: Events,
        busy: Box<dyn Fn(bool) + Send + Sync>,
    ) -> Self {
        Self { places, program, events, busy, inner: Mutex::default() }
    }

    /// Begins a training of so many minutes.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for a time or a name that cannot be, and while another training runs.
    pub fn start(self: &Arc<Self>, minutes: u32, name: Option<&str>) -> Result<RunState> {
        if !(1..=LONGEST).contains(&minutes) {
            return Err(StudioError::refused(format!("a training takes 1 to {LONGEST} minutes")));
        }
        let name = match name {
            Some(name) if !is_plain(name) => {
                return Err(StudioError::refused("name it with letters, digits, `-`, `_` and `.`"));
            }
            Some(name) if self.folder(name).exists() => {
                return Err(StudioError::Taken(format!(
                    "there is a training `{name}` already; give another name"
                )));
            }
            Some(name) => name.to_owned(),
            None => self.free_name(),
        };
        self.spawn(name, Task::New { minutes })
    }

    /// Goes on with a training that was stopped.
    ///
    /// # Errors
    /// [`StudioError::Unknown`]; [`StudioError::Refused`] for one that is done, and while another training runs.
    pub fn resume(self: &Arc<Self>, name: &str) -> Result<RunState> {
        match self.state(name)?.state {
            Standing::Done => Err(StudioError::Taken(format!("the training `{name}` is done"))),
            _ if !self.folder(name).is_dir() => {
                Err(StudioError::refused(format!("the training `{name}` never began; start it again")))
            }
            _ => self.spawn(name.to_owned(), Task::Resumed),
        }
    }

    /// Asks a training to stop after its batch; its state is saved.
    ///
    /// # Errors
    /// [`StudioError::Unknown`] for one that does not run.
    pub fn stop(&self, name: &str) -> Result<RunState> {
        match &self.lock().active {
            Some(active) if active.name == name => active.stop.raise(),
            _ => return Err(StudioError::Unknown(format!("no training `{name}` is running"))),
        }
        self.state(name)
    }

    /// Whether a training is running.
    pub fn is_busy(&self) -> bool {
        self.lock().active.is_some()
    }

    /// A training with its curves and choices.
    ///
    /// # Errors
    /// [`StudioError::Unknown`].
    pub fn state(&self, name: &str) -> Result<RunState> {
        let (running, begun, failure) = {
            let inner = self.lock();
            let active = inner.active.as_ref().filter(|active| active.name == name);
            (active.is_some(), active.is_some_and(|active| active.begun), inner.stillborn.get(name).cloned())
        };
        if running && !begun {
            return Ok(RunState::new(name, Standing::Waiting, None));
        }
        if let Some(failure) = failure {
            return Ok(RunState::new(name, Standing::Failed, Some(failure)));
        }
        let unknown = || StudioError::Unknown(format!("there is no training `{name}`"));
        if !is_plain(name) {
            return Err(unknown());
        }
        RunState::read(&self.folder(name), name, running).map_err(|_| unknown())
    }

    /// All trainings by their names, without curves and choices.
    pub fn list(&self) -> Vec<RunState> {
        let entries = fs::read_dir(&self.places.runs).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.path().join("config.toml").is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        {
            let inner = self.lock();
            names.extend(inner.active.iter().map(|active| active.name.clone()));
            names.extend(inner.stillborn.keys().cloned());
        }
        names.sort();
        names.dedup();
        names.iter().filter_map(|name| self.state(name).ok()).map(RunState::in_list).collect()
    }

    /// Stops what is running, and waits for its end.
    pub fn end(&self) {
        if let Some(active) = &self.lock().active {
            active.stop.raise();
        }
        let thread = self.lock().thread.take();
        if let Some(thread) = thread {
            // Its panics are contained.
            let _ = thread.join();
        }
    }

    /// The folder of a training.
    fn folder(&self, name: &str) -> PathBuf {
        self.places.runs.join(name)
    }

    fn free_name(&self) -> String {
        let free = |name: &String| !self.folder(name).exists() && !self.lock().stillborn.contains_key(name);
        let mut names = (1_u32..).map(|number| format!("run-{number}"));
        names.find(free).expect("there are more numbers than folders")
    }

    fn spawn(self: &Arc<Self>, name: String, task: Task) -> Result<RunState> {
        let stop = StopFlag::new();
        {
            let mut inner = self.lock();
            if let Some(active) = &inner.active {
                return Err(StudioError::Taken(format!(
                    "the training `{}` is running; stop it first",
                    active.name
                )));
            }
            inner.stillborn.remove(&name);
            inner.active = Some(Active { name: name.clone(), stop: stop.clone(), begun: false });
        }
        let (own, of_thread) = (Arc::clone(self), name.clone());
        let thread = thread::Builder::new().name("training".into()).spawn(move || {
            (own.busy)(true);
            let done = contain(|| own.train(&of_thread, &task, &stop));
            let failure = match done {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(panicked) => Some(panicked.to_string()),
            };
            own.ended(&of_thread, failure);
        });
        match thread {
            Ok(thread) => self.lock().thread = Some(thread),
            Err(error) => {
                self.lock().active = None;
                return Err(ServeError::Runtime(error).into());
            }
        }
        let state = self.state(&name)?;
        self.events.tell("run", &state.clone().in_list());
        Ok(state)
    }

    fn train(&self, name: &str, task: &Task, stop: &StopFlag) -> std::result::Result<(), ProgramError> {
        let folder = self.folder(name);
        let run = match task {
            Task::New { minutes } => {
                let Plan { config, dataset, choices } = self.program.plan(&self.places.root, *minutes)?;
                let run = Run::start(config, dataset, RunFolder::claim(&folder, false)?)?;
                let text = serde_json::to_vec_pretty(&choices)?;
                write_atomic(folder.join(CHOICES), &text)?;
                run
            }
            Task::Resumed => Run::resume(&folder)?,
        };
        if let Some(active) = &mut self.lock().active {
            active.begun = true;
        }
        let engine = self.program.engine_for(run.config())?;
        let mut teller = Teller { trainings: self, name, last: None };
        run.train(engine.as_ref(), &mut teller, stop)?;
        Ok(())
    }

    fn ended(&self, name: &str, failure: Option<String>) {
        // Before the next one can begin.
        (self.busy)(false);
        {
            let mut inner = self.lock();
            let begun = inner.active.take().is_some_and(|active| active.begun);
            if let Some(failure) = failure.filter(|_| !begun) {
                inner.stillborn.insert(name.to_owned(), failure);
            }
        }
        self.tell(name);
    }

    fn tell(&self, name: &str) {
        if let Ok(state) = self.state(name) {
            self.events.tell("run", &state.in_list());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells pages of the progress now and then.
struct Teller<'a> {
    trainings: &'a Trainings,
    name: &'a str,
    last: Option<Instant>,
}

impl Observer for Teller<'_> {
    fn notice(&mut self, event: &Event<'_>) {
        let urgent = matches!(event, Event::Started { .. } | Event::Epoch { .. });
        if urgent || self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last = Some(Instant::now());
            self.trainings.tell(self.name);
        }
    }
}

/// Whether a name can be a folder in `runs/`.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for name in ["run-1", "a.b_c", "7"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
