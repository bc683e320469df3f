//! The work of the learner's thread: rounds of learning and proposing, and reviews.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use dapple_base::InputFault;
use dapple_graph::Engine;

use super::fit::{FAST_STEPS, THOROUGH_STEPS, fit};
use super::folds::disagreement;
use super::gallery::Gallery;
use super::head::Head;
use super::pixels::{Pixels, Pool, pixels_of_image};
use super::proposal::{Proposal, propose};
use super::status::{LearnerState, ReviewState, ReviewStatus};
use crate::error::{Result, StudioError};
use crate::store::{ImageInfo, LabelStore};

/// The most images that are learnt from. Those labelled last come first.
const MOST_IMAGES: usize = 96;

/// The most images that are proposed for in a round, beside the one that is looked at.
const MOST_PROPOSED: usize = 200;

/// Parts of a review: each image is judged by a head that learnt from the others.
const FOLDS: usize = 5;

/// Whether the work goes on, and whom it tells.
pub(super) trait Turn {
    /// Waits while a stroke is under way. Not after another change than `changes`, a pause or the end.
    fn goes_on(&self, changes: u64) -> bool;
    /// Waits while a stroke is under way; false at the end.
    fn yields(&self) -> bool;
    /// The photograph that is looked at.
    fn focus(&self) -> Option<String>;
    /// The work changes.
    fn state(&self, state: LearnerState);
    /// A step of training.
    fn learnt(&self, step: usize, loss: f64);
    /// There is a new proposal, in the [numbers](LabelStore::numbering) of these classes.
    fn proposed(&self, id: &str, proposal: Proposal, numbering: u64);
    /// The mean uncertainty of the latest proposal.
    fn uncertainty(&self, id: &str) -> Option<f64>;
    /// Proposals of images that are gone are dropped.
    fn keep(&self, known: &dyn Fn(&str) -> bool);
    /// The photograph to label next.
    fn next(&self, id: Option<String>);
    /// The work is done; with something to know.
    fn rests(&self, message: Option<String>);
    /// The state of a review.
    fn reviewed(&self, review: ReviewStatus);
}

/// The learner's things.
pub(super) struct Desk {
    gallery: Gallery,
    store: Arc<LabelStore>,
    engine: Arc<dyn Engine>,
    threads: usize,
    head: Option<Head>,
    /// The [numbers](LabelStore::numbering) of the classes that the head knows.
    numbering: u64,
    /// Photographs that could not be read in this round, and why.
    broken: BTreeMap<String, String>,
    /// The revisions of the photographs, and when each was first seen, by a count.
    changed: HashMap<String, (u64, u64)>,
    count: u64,
}

impl Desk {
    pub fn new(gallery: Gallery, store: Arc<LabelStore>, engine: Arc<dyn Engine>, threads: usize) -> Self {
        let numbering = store.numbering();
        Self {
            gallery,
            store,
            engine,
            threads,
            head: None,
            numbering,
            broken: BTreeMap::new(),
            changed: HashMap::new(),
            count: 0,
        }
    }

    /// Learns from the labels as they are: quickly first, and proposes for the photograph that is looked at; then thoroughly, and
    /// proposes for all. Gives whether it came to the end.
    pub fn round(&mut self, turn: &dyn Turn, changes: u64) -> Result<bool> {
        // Before the labels are read: what is learnt from older ones is not taken for what the numbers mean now.
        let numbering = self.store.numbering();
        if numbering != self.numbering {
            (self.head, self.numbering) = (None, numbering);
        }
        self.broken.clear();
        let images: Vec<ImageInfo> =
            self.store.images().into_iter().filter(|image| image.problem.is_none()).collect();
        let ids: HashSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
        turn.keep(&|id| ids.contains(id));
        let mut focus = turn.focus().filter(|id| ids.contains(id.as_str()));
        if let Some(id) = &focus {
            // Ready when the first stroke is done.
            turn.state(LearnerState::Reading);
            let maps = self.gallery.maps(id).map(drop);
            if self.readable(id, maps)?.is_none() {
                focus = None;
            }
        }
        let labelled = self.labelled(&images, focus.as_deref());
        self.gallery.keep(&ids, &labelled);
        let most = pixels_of_image(labelled.len());
        let mut at_hand: Vec<Arc<Pixels>> = Vec::new();
        for id in &labelled {
            let pixels = match focus.as_ref() == Some(id) {
                true => self.pixels(id, most)?,
                false => self.gallery.known_pixels(id, most),
            };
            at_hand.extend(pixels);
        }
        let all_known = at_hand.len() == labelled.len();
        if !turn.goes_on(changes) {
            return Ok(false);
        }
        turn.state(LearnerState::Learning);
        if let Some(head) = self.learn(turn, &at_hand, FAST_STEPS, &mut || turn.yields())? {
            self.head = Some(head);
            if let Some(id) = &focus {
                self.propose(turn, id)?;
            }
        }
        if !all_known {
            turn.state(LearnerState::Reading);
            at_hand.clear();
            for id in &labelled {
                if !turn.goes_on(changes) {
                    return Ok(false);
                }
                at_hand.extend(self.pixels(id, most)?);
            }
        }
        turn.state(LearnerState::Learning);
        match self.learn(turn, &at_hand, THOROUGH_STEPS, &mut || turn.goes_on(changes))? {
            Some(head) => self.head = Some(head),
            None if turn.goes_on(changes) => {
                // There are no two classes yet.
                self.head = None;
                turn.keep(&|_| false);
                turn.next(first_unlabelled(&images));
                turn.state(LearnerState::Waiting);
                return Ok(true);
            }
            None => return Ok(false),
        }
        self.propose_all(turn, changes, &images, focus.as_deref())
    }

    /// Proposes for a photograph that is looked at now; nothing has changed since the last round.
    pub fn look(&mut self, turn: &dyn Turn, changes: u64) -> Result<bool> {
        let Some(id) = turn.focus() else { return Ok(true) };
        if self.store.image(&id).map_or(true, |image| image.problem.is_some()) {
            return Ok(true);
        }
        let maps = self.gallery.maps(&id).map(drop);
        let readable = self.readable(&id, maps)?.is_some();
        if readable && self.head.is_some() && turn.uncertainty(&id).is_none() && turn.goes_on(changes) {
            self.propose(turn, &id)?;
        }
        Ok(true)
    }

    /// What was read of a photograph; one that cannot be read is remembered, and does not keep the others from being learnt from.
    fn readable<T>(&mut self, id: &str, read: Result<T>) -> Result<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.is_input_fault() => {
                self.broken.insert(id.to_owned(), error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn pixels(&mut self, id: &str, most: usize) -> Result<Option<Arc<Pixels>>> {
        let pixels = self.gallery.pixels(id, most);
        self.readable(id, pixels)
    }

    /// What the person should know of the photographs that were left out.
    fn left_out(&self) -> Option<String> {
        let first = self.broken.values().next()?;
        Some(match self.broken.len() {
            1 => format!("one photograph is left out: {first}"),
            count => format!("{count} photographs are left out: {first}, and others"),
        })
    }

    /// The labelled photographs that are learnt from: the one that is looked at, those changed last, then the others.
    fn labelled(&mut self, images: &[ImageInfo], focus: Option<&str>) -> Vec<String> {
        for image in images {
            let known = self.changed.get(&image.id).is_some_and(|(revision, _)| *revision == image.revision);
            if !known {
                self.count += 1;
                self.changed.insert(image.id.clone(), (image.revision, self.count));
            }
        }
        let mut labelled: Vec<&ImageInfo> = images.iter().filter(|image| image.labelled > 0.0).collect();
        let order = |image: &ImageInfo| match focus == Some(image.id.as_str()) {
            true => u64::MAX,
            false => self.changed.get(&image.id).map_or(0, |(_, count)| *count),
        };
        labelled.sort_by_key(|image| Reverse(order(image)));
        let mut chosen: Vec<String> =
            labelled.into_iter().take(MOST_IMAGES).map(|image| image.id.clone()).collect();
        // In one order, whichever was looked at.
        chosen.sort();
        chosen
    }

    /// A head of these pixels; `None` without two classes, and where `goes_on` ends it.
    fn learn(
        &self,
        turn: &dyn Turn,
        pixels: &[Arc<Pixels>],
        steps: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Head>> {
        let pool = Pool::of(pixels.iter().map(|pixels| &**pixels), self.store.classes().len());
        if pool.present() < 2 {
            return Ok(None);
        }
        fit(self.engine.as_ref(), &pool, steps, &mut |step, loss| {
            turn.learnt(step, loss);
            if goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    }

    fn propose(&mut self, turn: &dyn Turn, id: &str) -> Result<()> {
        let maps = self.gallery.maps(id);
        let (Some(maps), Some(head)) = (self.readable(id, maps)?, &self.head) else { return Ok(()) };
        turn.proposed(id, propose(&maps, head, self.threads)?, self.numbering);
        Ok(())
    }

    /// Proposes for the photograph that is looked at and for the others, those at hand and the least labelled first; then says which
    /// is next.
    fn propose_all(
        &mut self,
        turn: &dyn Turn,
        changes: u64,
        images: &[ImageInfo],
        focus: Option<&str>,
    ) -> Result<bool> {
        let mut others: Vec<&ImageInfo> = images.iter().collect();
        // Those whose features are at hand come first: reading takes longer than proposing.
        let at_hand = |image: &ImageInfo| self.gallery.holds(&image.id);
        others.sort_by(|a, b| at_hand(b).cmp(&at_hand(a)).then_with(|| a.labelled.total_cmp(&b.labelled)));
        let mut done: HashSet<String> = HashSet::new();
        for image in others.into_iter().take(MOST_PROPOSED) {
            // Another one may be looked at by now.
            let looked_at = turn.focus().filter(|id| images.iter().any(|image| image.id == *id));
            for id in looked_at.into_iter().chain([image.id.clone()]) {
                if done.contains(&id) {
                    continue;
                }
                // Reading one that is new takes as long as proposing: a stroke is noticed in between.
                let maps = self.gallery.maps(&id).map(drop);
                self.readable(&id, maps)?;
                if !turn.goes_on(changes) {
                    return Ok(false);
                }
                self.propose(turn, &id)?;
                done.insert(id);
            }
        }
        let mut next: Option<(f64, &ImageInfo)> = None;
        for image in images.iter().filter(|image| image.labelled < 1.0 && Some(image.id.as_str()) != focus) {
            // What is labelled already teaches less.
            let doubt = turn.uncertainty(&image.id).unwrap_or(0.0) * (1.0 - image.labelled);
            if next.is_none_or(|(most, _)| doubt > most) {
                next = Some((doubt, image));
            }
        }
        turn.next(next.map(|(_, image)| image.id.clone()));
        turn.rests(self.left_out());
        Ok(true)
    }

    /// Judges each labelled photograph by a head that learnt from the others.
    pub fn review(&mut self, turn: &dyn Turn) -> Result<bool> {
        let numbering = self.store.numbering();
        self.broken.clear();
        let mut images: Vec<ImageInfo> = self
            .store
            .images()
            .into_iter()
            .filter(|image| image.problem.is_none() && image.labelled > 0.0)
            .collect();
        if images.len() < 2 {
            return Err(StudioError::refused("a review needs two labelled photographs at least"));
        }
        let most = pixels_of_image(images.len());
        let mut pixels = Vec::with_capacity(images.len());
        let mut read = Vec::with_capacity(images.len());
        for image in images {
            if !turn.yields() {
                return Ok(false);
            }
            if let Some(found) = self.pixels(&image.id, most)? {
                pixels.push(found);
                read.push(image);
            }
        }
        images = read;
        if images.len() < 2 {
            let why = self.left_out().unwrap_or_default();
            return Err(StudioError::refused(format!(
                "a review needs two photographs that can be read; {why}"
            )));
        }
        let folds = FOLDS.min(images.len());
        let mut review =
            ReviewStatus { state: ReviewState::Running, of: images.len(), ..ReviewStatus::default() };
        for fold in 0..folds {
            let others: Vec<Arc<Pixels>> = pixels
                .iter()
                .enumerate()
                .filter(|(index, _)| index % folds != fold)
                .map(|(_, pixels)| Arc::clone(pixels))
                .collect();
            let Some(head) = self.learn(turn, &others, THOROUGH_STEPS, &mut || turn.yields())? else {
                if !turn.yields() {
                    return Ok(false);
                }
                return Err(StudioError::refused("a review needs two classes in several photographs"));
            };
            for image in images.iter().skip(fold).step_by(folds) {
                let maps = self.gallery.maps(&image.id)?;
                let proposal = propose(&maps, &head, self.threads)?;
                let labels = self.gallery.labels(&image.id)?;
                review.images.push(disagreement(&image.id, &labels, &proposal, image.size));
                review.done += 1;
            }
            if self.store.numbering() != numbering {
                return Err(StudioError::refused(
                    "the classes were changed during the review; begin it again",
                ));
            }
            turn.reviewed(review.clone());
        }
        review.images.sort_by(|a, b| b.disagreement.total_cmp(&a.disagreement).then_with(|| a.id.cmp(&b.id)));
        (review.state, review.message) = (ReviewState::Done, self.left_out());
        turn.reviewed(review);
        Ok(true)
    }
}

fn first_unlabelled(images: &[ImageInfo]) -> Option<String> {
    images.iter().find(|image| image.labelled == 0.0).map(|image| image.id.clone())
}
