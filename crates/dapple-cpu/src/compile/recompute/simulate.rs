//! A pass within a limit: whenever memory is short, the map is dropped that costs least to make again for the memory and
//! the time that it frees.

use super::schedule::{Run, Schedule};
use super::trace::Trace;

/// Times the work of the forward pass that may be repeated at most.
const MOST_WORK: u64 = 3;

/// The schedule whose buffers take `limit` values at most, scratch memory included, not counting the gaps between
/// them; none if there is no such schedule with a bearable amount of work.
pub(super) fn simulate(trace: &Trace, limit: usize) -> Option<Schedule> {
    let count = trace.buffers.len();
    let mut simulation = Simulation {
        trace,
        limit,
        used: 0,
        now: 0,
        places: vec![None; count],
        made: vec![false; count],
        locked: vec![0; count],
        visited: vec![0; count],
        visit: 0,
        most_work: MOST_WORK * trace.moments.iter().map(|moment| moment.work).sum::<u64>(),
        schedule: Schedule::default(),
    };
    for moment in 0..trace.moments.len() {
        simulation.now = moment;
        simulation.run(moment)?;
        simulation.free_finished();
    }
    Some(simulation.schedule)
}

struct Simulation<'a> {
    trace: &'a Trace,
    limit: usize,
    /// Values of the buffers that stand.
    used: usize,
    /// The moment that has come, apart from repetitions.
    now: usize,
    /// Where each buffer stands: in itself, or in a copy.
    places: Vec<Option<usize>>,
    /// Whether the buffer has stood before.
    made: Vec<bool>,
    /// How many of the moments that are being run touch each buffer.
    locked: Vec<usize>,
    /// The last search that came to each buffer.
    visited: Vec<usize>,
    visit: usize,
    most_work: u64,
    schedule: Schedule,
}

impl<'a> Simulation<'a> {
    /// Runs a moment, after making what it reads.
    fn run(&mut self, moment: usize) -> Option<()> {
        let trace: &'a Trace = self.trace;
        let now = &trace.moments[moment];
        now.touched.iter().for_each(|&buffer| self.locked[buffer] += 1);
        for &buffer in &now.touched {
            if self.places[buffer].is_none() && self.made[buffer] && !now.makes.contains(&buffer) {
                self.make_again(buffer)?;
            }
        }
        let absent = now.touched.iter().copied().filter(|&buffer| self.places[buffer].is_none());
        let absent: Vec<usize> = absent.collect();
        let new: usize = absent.iter().map(|&buffer| self.trace.buffers[buffer].len).sum();
        self.make_room(new + now.scratch)?;
        self.used += new;
        self.schedule.peak = self.schedule.peak.max(self.used + now.scratch);
        for buffer in absent {
            let copy = std::mem::replace(&mut self.made[buffer], true).then(|| {
                self.schedule.copies.push(buffer);
                self.trace.buffers.len() + self.schedule.copies.len() - 1
            });
            self.places[buffer] = Some(copy.unwrap_or(buffer));
        }
        let places = now.touched.iter().filter_map(|&buffer| self.places[buffer]).collect();
        self.schedule.runs.push(Run { moment, places });
        now.touched.iter().for_each(|&buffer| self.locked[buffer] -= 1);
        Some(())
    }

    /// Repeats the steps that make a dropped buffer, which is locked by its reader.
    fn make_again(&mut self, buffer: usize) -> Option<()> {
        let trace: &'a Trace = self.trace;
        for &maker in &trace.buffers[buffer].makers {
            self.schedule.work += self.trace.moments[maker].work;
            if self.schedule.work > self.most_work {
                return None;
            }
            self.run(maker)?;
        }
        Some(())
    }

    /// Drops buffers until there is room for so many values.
    fn make_room(&mut self, values: usize) -> Option<()> {
        while self.used + values > self.limit {
            let mut best: Option<(f64, usize)> = None;
            for buffer in 0..self.places.len() {
                if self.can_be_dropped(buffer) {
                    let loss = self.loss(buffer);
                    if best.is_none_or(|(least, _)| loss < least) {
                        best = Some((loss, buffer));
                    }
                }
            }
            let (_, dropped) = best?;
            self.places[dropped] = None;
            self.used -= self.trace.buffers[dropped].len;
        }
        Some(())
    }

    /// Whether a buffer stands, is whole, and is touched by no moment that is being run.
    fn can_be_dropped(&self, buffer: usize) -> bool {
        let whole = self.trace.buffers[buffer].makers.last().is_some_and(|&last| last < self.now);
        whole && self.places[buffer].is_some() && self.locked[buffer] == 0
    }

    /// The work that dropping a buffer costs, for each value and each moment until it is wanted.
    fn loss(&mut self, buffer: usize) -> f64 {
        let Some(next) = self.next_use(buffer) else { return 0.0 };
        let freed = self.trace.buffers[buffer].len as f64 * (next + 1 - self.now) as f64;
        self.work_to_make(buffer) as f64 / freed
    }

    /// The moment that touches a buffer next.
    fn next_use(&self, buffer: usize) -> Option<usize> {
        let uses = &self.trace.buffers[buffer].uses;
        uses.get(uses.partition_point(|&moment| moment < self.now)).copied()
    }

    /// The work of making a buffer again, with all absent ones that it is made of and all that will be made of it.
    fn work_to_make(&mut self, buffer: usize) -> u64 {
        self.visit += 1;
        self.visited[buffer] = self.visit;
        let mut work = self.makers_work(buffer);
        let trace: &'a Trace = self.trace;
        for backwards in [true, false] {
            let mut stack = vec![buffer];
            while let Some(at) = stack.pop() {
                let at = &trace.buffers[at];
                for &other in if backwards { &at.inputs } else { &at.readers } {
                    let absent = self.made[other] && self.places[other].is_none();
                    let wanted = backwards || self.next_use(other).is_some();
                    if absent && wanted && self.visited[other] != self.visit {
                        self.visited[other] = self.visit;
                        work += self.makers_work(other);
                        stack.push(other);
                    }
                }
            }
        }
        work
    }

    fn makers_work(&self, buffer: usize) -> u64 {
        self.trace.buffers[buffer].makers.iter().map(|&maker| self.trace.moments[maker].work).sum()
    }

    /// Frees the buffers that cannot be dropped and are not touched again, by repeated steps neither.
    fn free_finished(&mut self) {
        let trace: &'a Trace = self.trace;
        for &buffer in &trace.moments[self.now].touched {
            let facts = &trace.buffers[buffer];
            if facts.makers.is_empty() && !facts.feeds && facts.uses.last() == Some(&self.now) {
                self.places[buffer] = None;
                self.used -= facts.len;
            }
        }
    }
}
