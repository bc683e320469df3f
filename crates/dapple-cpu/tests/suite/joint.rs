//! Batches that are divided among ranks: the losses, gradients and statistics of the whole batch.

use dapple_base::{Ranks, ThreadRank, share, thread_ranks};
use dapple_cpu::CpuEngine;
use dapple_graph::{
    Conv2d, DropoutState, Engine, Graph, GraphError, Joint, Loss, LossKind, Network, Optimizer, Shape, State,
    Target, Tensor, Trainer,
};
use std::sync::Arc;
use std::thread;

/// Images of the whole batch; they divide unevenly.
const IMAGES: usize = 5;
const SIDE: Shape = Shape::new(1, 7, 6, 3);

/// Norms, dropout of values and of images, and two outputs, the second of which has one channel.
fn network(channels: usize) -> Arc<dyn Network> {
    Arc::new((SIDE, move |input: Shape| -> Result<Graph, GraphError> {
        let mut g = Graph::new(input);
        let x = g.input();
        let x = g.conv2d("first", x, &Conv2d::new(18, 3).padding(1).bias(false))?;
        let x = g.batch_norm("first.norm", x)?;
        let x = g.relu(x)?;
        let x = g.dropout(x, 0.3)?;
        let x = g.conv2d("second", x, &Conv2d::new(8, 3).padding(1))?;
        let x = g.drop_path(x, 0.4)?;
        let x = g.batch_norm("second.norm", x)?;
        let y = g.conv2d("logits", x, &Conv2d::new(channels, 1))?;
        let z = g.conv2d("side", x, &Conv2d::new(1, 1))?;
        g.output("logits", y)?;
        g.output("side", z)?;
        Ok(g)
    }))
}

/// What an engine makes of a batch.
#[derive(Debug)]
struct Learned {
    loss: f64,
    gradients: Vec<f32>,
    statistics: Vec<f32>,
}

/// Numbers that repeat after a while, from 0 to below `below`.
fn number(at: usize, below: usize) -> usize {
    (at * 7919 + at / 13 * 104_729 + 5) % 65_521 % below
}

fn trainer(channels: usize) -> Box<dyn Trainer> {
    let network = network(channels);
    let state = State::init(&network.build(SIDE).expect("it fits"), 3);
    let engine = CpuEngine::new(Some(1)).expect("threads can be started");
    let optimizer = Optimizer::sgd(0.0, 0.0);
    let mut trainer = engine.load_trainer(network, &state, optimizer).expect("the state fits");
    trainer.set_dropout_state(DropoutState { seed: 9, passes: 4 });
    trainer
}

/// Two batches, of which the images `from .. to` are learned.
fn learn(
    trainer: &mut dyn Trainer,
    labels: &dyn Fn(usize) -> u8,
    loss: &Loss,
    part: std::ops::Range<usize>,
) -> f64 {
    let (pixels, count) = (SIDE.h * SIDE.w, part.len());
    let mut sum = 0.0;
    for batch in 0..2 {
        let begin = batch * IMAGES + part.start;
        let values = (begin * pixels * 3..(begin + count) * pixels * 3)
            .map(|at| number(at, 1000) as f32 / 500.0 - 1.0);
        let images = Tensor::new(Shape::new(count, SIDE.h, SIDE.w, 3), values.collect());
        let truth: Vec<u8> = (begin * pixels..(begin + count) * pixels).map(labels).collect();
        sum += trainer.accumulate(&images, &truth, loss, 0.5).expect("it learns");
    }
    sum
}

fn alone(channels: usize, labels: &dyn Fn(usize) -> u8, loss: &Loss) -> Learned {
    let mut trainer = trainer(channels);
    let loss = learn(trainer.as_mut(), labels, loss, 0..IMAGES);
    Learned { loss, gradients: trainer.gradients(), statistics: trainer.state().statistics }
}

fn together(
    size: usize,
    channels: usize,
    labels: &(dyn Fn(usize) -> u8 + Sync),
    loss: &Loss,
) -> Vec<Learned> {
    let one = |rank: ThreadRank| {
        let part = share(IMAGES, rank.rank(), rank.size());
        let ranks: Arc<dyn Ranks> = Arc::new(rank);
        let mut trainer = trainer(channels);
        let joint = Joint { ranks: Arc::clone(&ranks), norms: true, images: IMAGES, first: part.start };
        assert!(trainer.join(Some(joint)));
        let loss = learn(trainer.as_mut(), labels, loss, part);
        trainer.sum_gradients(ranks.as_ref()).expect("all ranks meet");
        Learned { loss, gradients: trainer.gradients(), statistics: trainer.state().statistics }
    };
    let one = &one;
    thread::scope(|scope| {
        let threads: Vec<_> =
            thread_ranks(size).into_iter().map(|rank| scope.spawn(move || one(rank))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no rank panics")).collect()
    })
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    let largest = a.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    a.iter().zip(b).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs())) / largest
}

fn check(name: &str, channels: usize, labels: &(dyn Fn(usize) -> u8 + Sync), loss: &Loss) {
    let wanted = alone(channels, labels, loss);
    for size in [2, 3] {
        let found = together(size, channels, labels, loss);
        for rank in &found {
            let gradients = distance(&wanted.gradients, &rank.gradients);
            let statistics = distance(&wanted.statistics, &rank.statistics);
            let near = (wanted.loss - rank.loss).abs() < 1e-5 * (1.0 + wanted.loss.abs());
            assert!(near, "{name}, {size} ranks: loss {} instead of {}", rank.loss, wanted.loss);
            assert!(gradients < 5e-4 && statistics < 1e-5, "{name}, {size} ranks: {gradients}, {statistics}");
            // All ranks have the same bits.
            assert!(rank.gradients == found[0].gradients && rank.statistics == found[0].statistics);
        }
    }
}

#[test]
fn every_loss_is_that_of_the_whole_batch() {
    let kinds = [
        LossKind::CrossEntropy,
        LossKind::BinaryCrossEntropy,
        LossKind::Dice,
        LossKind::Focal,
        LossKind::Tversky,
        LossKind::Lovasz,
        LossKind::Boundary,
        LossKind::Ohem,
    ];
    // A tenth of the pixels, and all of the first image, do not count.
    let labels = |at: usize| match (at / (SIDE.h * SIDE.w), number(at, 10)) {
        (0, _) | (_, 0) => 9,
        (image, kind) => ((kind + image) % 3) as u8,
    };
    for kind in kinds {
        let weights = vec![1.0, 2.5, 0.5];
        let many = Loss { ignore: Some(9), class_weights: Some(weights), ..Loss::single(kind) };
        // The second output has one channel, for which there is no cross-entropy; both learn classes 0 and 1 there.
        let two = |at: usize| if labels(at) == 2 { 1 } else { labels(at) };
        if kind != LossKind::CrossEntropy {
            let one = Loss { class_weights: Some(vec![1.0, 2.5]), ..many.clone() };
            check(&format!("{kind:?}, one channel"), 1, &two, &one);
        }
        let targets = vec![Target::Labels, Target::Boundaries];
        let many = Loss { output_targets: targets, boundary_aware: 0.5, ..many };
        check(&format!("{kind:?}, three channels and boundaries"), 3, &labels, &many);
    }
}
