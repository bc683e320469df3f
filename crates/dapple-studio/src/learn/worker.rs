//! The learner's thread: it learns and proposes while the person paints, and steps back while a stroke is under way.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dapple_base::contain;
use dapple_graph::Engine;
use dapple_serve::ServeError;

use super::encoder::{EncoderMaps, EncoderWeights};
use super::gallery::Gallery;
use super::proposal::Proposal;
use super::rounds::{Desk, Turn};
use super::status::{LearnerState, LearnerStatus, ReviewState, ReviewStatus};
use crate::error::Result;
use crate::events::Events;
use crate::store::LabelStore;

/// A stroke that takes longer is forgotten: the page that began it may be gone.
const LONGEST_STROKE: Duration = Duration::from_secs(10);

/// The longest time without a look at the wishes.
const NAP: Duration = Duration::from_millis(500);

/// The wishes of the pages.
#[derive(Debug, Default)]
struct Wishes {
    focus: Option<String>,
    /// Until when a stroke is under way.
    busy: Option<Instant>,
    /// Grows with each change of labels, classes or images.
    changes: u64,
    changed: Option<Instant>,
    paused: bool,
    review: bool,
    stop: bool,
}

/// The results for the pages.
#[derive(Debug, Default)]
struct Results {
    status: LearnerStatus,
    /// With a number that grows with each, and the [numbers](LabelStore::numbering) of the classes.
    proposals: HashMap<String, (u64, u64, Arc<Proposal>)>,
    proposed: u64,
    next: Option<String>,
    review: ReviewStatus,
}

/// What the thread and the pages share.
pub(super) struct Shared {
    store: Arc<LabelStore>,
    events: Events,
    wishes: Mutex<Wishes>,
    wake: Condvar,
    results: Mutex<Results>,
}

/// A network that learns along in a thread of its own, which ends when this is dropped.
pub struct Learner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Learner {
    /// Starts the thread. `threads` are for what the engine does not compute.
    ///
    /// # Errors
    /// Those of reading the encoder's weights.
    pub fn start(
        store: Arc<LabelStore>,
        events: Events,
        engine: Arc<dyn Engine>,
        encoder: Option<&EncoderWeights>,
        threads: usize,
    ) -> Result<Self> {
        let encoder = encoder.map(|weights| EncoderMaps::load(engine.as_ref(), weights)).transpose()?;
        let status = LearnerStatus { state: LearnerState::Waiting, ..LearnerStatus::default() };
        let shared = Arc::new(Shared {
            store: Arc::clone(&store),
            events,
            wishes: Mutex::default(),
            wake: Condvar::new(),
            results: Mutex::new(Results { status, ..Results::default() }),
        });
        let desk = Desk::new(Gallery::new(Arc::clone(&store), encoder), store, engine, threads);
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("learner".into())
            .spawn(move || run(&own, desk))
            .map_err(ServeError::Runtime)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Labels, classes or images have changed.
    pub fn changed(&self) {
        let mut wishes = self.shared.wishes();
        wishes.changes += 1;
        wishes.changed = Some(Instant::now());
        self.shared.wake.notify_all();
    }

    /// The photograph that is looked at, and whether a stroke is under way.
    pub fn focus(&self, id: Option<String>, busy: bool) {
        let mut wishes = self.shared.wishes();
        wishes.busy = busy.then(|| Instant::now() + LONGEST_STROKE);
        wishes.focus = id;
        self.shared.wake.notify_all();
    }

    /// Lets the learner rest while something else needs the processor.
    pub fn pause(&self, paused: bool) {
        let mut wishes = self.shared.wishes();
        let was_paused = std::mem::replace(&mut wishes.paused, paused);
        // A round that was cut short begins again.
        wishes.changes += u64::from(was_paused && !paused);
        drop(wishes);
        self.shared.wake.notify_all();
        if paused {
            self.shared.tell_status(|status| status.state = LearnerState::Paused);
        }
    }

    /// Begins a review, unless one is at work.
    pub fn review(&self) {
        if self.review_status().state != ReviewState::Running {
            self.shared.tell_review(ReviewStatus { state: ReviewState::Running, ..ReviewStatus::default() });
            self.shared.wishes().review = true;
            self.shared.wake.notify_all();
        }
    }

    /// The work of the learner.
    pub fn status(&self) -> LearnerStatus {
        self.shared.results().status.clone()
    }

    /// The review.
    pub fn review_status(&self) -> ReviewStatus {
        self.shared.results().review.clone()
    }

    /// The latest proposal for a photograph, with its number; none of classes whose numbers have changed since.
    pub fn proposal(&self, id: &str) -> Option<(u64, Arc<Proposal>)> {
        self.shared.present(id)
    }

    /// The photograph to label next.
    pub fn next_image(&self) -> Option<String> {
        self.shared.results().next.clone()
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        self.shared.wishes().stop = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panics are contained.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest proposal for a photograph, unless its numbers mean other classes by now.
    fn present(&self, id: &str) -> Option<(u64, Arc<Proposal>)> {
        let numbering = self.store.numbering();
        let results = self.results();
        let (number, _, proposal) = results.proposals.get(id).filter(|(_, of, _)| *of == numbering)?;
        Some((*number, Arc::clone(proposal)))
    }

    fn tell_status(&self, change: impl FnOnce(&mut LearnerStatus)) {
        let mut results = self.results();
        let before = results.status.clone();
        change(&mut results.status);
        if results.status != before {
            self.events.tell("learner", &results.status);
        }
    }

    fn tell_review(&self, review: ReviewStatus) {
        let ReviewStatus { state, done, of, message, .. } = &review;
        let news = serde_json::json!({ "state": state, "done": done, "of": of, "message": message });
        // Who is told asks for the images.
        self.results().review = review;
        self.events.tell("review", &news);
    }
}

impl Turn for Shared {
    fn goes_on(&self, changes: u64) -> bool {
        let mut wishes = self.wishes();
        loop {
            if wishes.stop || wishes.paused || wishes.changes != changes {
                return false;
            }
            match wishes.busy {
                Some(until) if Instant::now() < until => {
                    wishes = self.wake.wait_timeout(wishes, NAP).unwrap_or_else(PoisonError::into_inner).0;
                }
                _ => return true,
            }
        }
    }

    fn yields(&self) -> bool {
        let mut wishes = self.wishes();
        while !wishes.stop && wishes.busy.is_some_and(|until| Instant::now() < until) {
            wishes = self.wake.wait_timeout(wishes, NAP).unwrap_or_else(PoisonError::into_inner).0;
        }
        !wishes.stop
    }

    fn focus(&self) -> Option<String> {
        self.wishes().focus.clone()
    }

    fn state(&self, state: LearnerState) {
        // A pause has told its own.
        if !self.wishes().paused {
            self.tell_status(|status| (status.state, status.message) = (state, None));
        }
    }

    fn rests(&self, message: Option<String>) {
        if !self.wishes().paused {
            self.tell_status(|status| (status.state, status.message) = (LearnerState::Resting, message));
        }
    }

    fn learnt(&self, step: usize, loss: f64) {
        let mut results = self.results();
        (results.status.step, results.status.loss) = (step, Some(loss));
    }

    fn proposed(&self, id: &str, proposal: Proposal, numbering: u64) {
        // Of classes whose numbers have changed meanwhile.
        if self.store.numbering() != numbering {
            return;
        }
        let changed = self.wishes().changed;
        let mut results = self.results();
        results.proposed += 1;
        let number = results.proposed;
        results.proposals.insert(id.to_owned(), (number, numbering, Arc::new(proposal)));
        if self.focus().as_deref() == Some(id)
            && let Some(changed) = changed
        {
            results.status.seconds = changed.elapsed().as_secs_f64();
        }
        self.events.tell("proposal", &serde_json::json!({ "image": id, "revision": number }));
        self.events.tell("learner", &results.status);
    }

    fn uncertainty(&self, id: &str) -> Option<f64> {
        Some(self.present(id)?.1.mean_uncertainty())
    }

    fn keep(&self, known: &dyn Fn(&str) -> bool) {
        self.results().proposals.retain(|id, _| known(id));
    }

    fn next(&self, id: Option<String>) {
        let mut results = self.results();
        if results.next != id {
            results.next = id;
            self.events.tell("next", &serde_json::json!({ "image": results.next }));
        }
    }

    fn reviewed(&self, review: ReviewStatus) {
        self.tell_review(review);
    }
}

/// The thread: a round after each change, and reviews.
fn run(shared: &Shared, mut desk: Desk) {
    let (mut learnt, mut looked_at) = (None, None);
    loop {
        let mut wishes = shared.wishes();
        let (changes, review) = loop {
            if wishes.stop {
                return;
            }
            let ready = learnt != Some(wishes.changes) || wishes.review || looked_at != wishes.focus;
            if ready && !wishes.paused {
                break (wishes.changes, std::mem::take(&mut wishes.review));
            }
            wishes = shared.wake.wait_timeout(wishes, NAP).unwrap_or_else(PoisonError::into_inner).0;
        };
        let focus = wishes.focus.clone();
        drop(wishes);
        let done = contain(|| match review {
            true => desk.review(shared),
            false if learnt == Some(changes) => desk.look(shared, changes),
            false => desk.round(shared, changes),
        });
        let problem = match done {
            Ok(Ok(finished)) => {
                if !review && finished {
                    (learnt, looked_at) = (Some(changes), focus);
                }
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(panicked) => panicked.to_string(),
        };
        if review {
            let failed = ReviewStatus {
                state: ReviewState::Failed,
                message: Some(problem),
                ..ReviewStatus::default()
            };
            shared.tell_review(failed);
        } else {
            // The next change is another try.
            (learnt, looked_at) = (Some(changes), focus);
            shared.tell_status(|status| {
                (status.state, status.message) = (LearnerState::Failed, Some(problem));
            });
        }
    }
}

impl std::fmt::Debug for Learner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Learner").field("store", &self.shared.store.places().root).finish_non_exhaustive()
    }
}
