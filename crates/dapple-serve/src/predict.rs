//! `POST /predict`: from a request to its response.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use dapple_base::Size;
use dapple_data::{decode_photo_bytes, image_size_bytes};
use dapple_predict::output::{ImageInfo, output_palette};

use crate::app::App;
use crate::batcher::Stopped;
use crate::bounds::held::{Held, Slot};
use crate::bounds::memory::{Needs, memory_of_decoding, shows_the_image};
use crate::bounds::shares::Peer;
use crate::config::BODY_COPIES;
use crate::models::ModelWorker;
use crate::problem::Problem;
use crate::request::body::{BodyLimits, check_length, drain, read};
use crate::request::parameters::Parameters;
use crate::request::submission::{BodyKind, Source, Submission};
use crate::response::answer::Answer;
use crate::response::encoding::Material;
use crate::response::sending::respond;
use crate::work::{aside, working};

/// Segments one image. The time limit covers all but the sending of the response.
pub(crate) async fn predict(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Arc<Peer>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    let begin = Instant::now();
    let (parts, mut body) = request.into_parts();
    let work = within_time(&app, &peer, &parts, query.as_deref().unwrap_or_default(), &mut body);
    let response = tokio::time::timeout(app.config.limits.time, work).await;
    app.metrics.answered(begin.elapsed());
    let response = response.unwrap_or_else(|_| {
        let message = "the request exceeded the server's time limit";
        Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, message, 10))
    });
    // A client that asks first (`Expect: 100-continue`) would be told to go on by the reading.
    if response.is_err() && !parts.headers.contains_key(header::EXPECT) {
        drain(body, app.config.limits.body_bytes);
    }
    response
}

/// A slot is taken when the body is here: a client that sends slowly holds none.
async fn within_time(
    app: &Arc<App>,
    peer: &Peer,
    head: &Parts,
    query: &str,
    body: &mut Body,
) -> Result<Response, Problem> {
    let limits = &app.config.limits;
    let parameters = Parameters::of_query(query)?;
    let kind = BodyKind::of(&head.headers)?;
    check_length(&head.headers, limits.body_bytes)?;
    Slot::check(peer, &app.metrics)?;
    let copies = if kind == BodyKind::Raw { 1 } else { BODY_COPIES };
    let bounds = BodyLimits { bytes: limits.body_bytes, copies, pace: app.pace() };
    let (bytes, body_memory) = read(body, bounds, peer.body_memory()).await?;
    let Submission { source, parameters: given } = aside(move || Submission::read(&kind, bytes)).await?;
    let parameters = parameters.with_those_of_the_body(given)?;
    let model = model_of(app, &parameters)?;
    let wanted = parameters.wanted(&model.predictor.classes().names)?;
    let (bytes, body_memory) = match source {
        Source::Image(bytes) => (bytes, body_memory),
        Source::Url(url) => app.fetcher.fetch(peer, url).await?,
    };

    let slot = Slot::take(peer, &app.metrics)?;
    let pixels = limits.pixels;
    let (bytes, size, decoding_bytes) = aside(move || {
        let size = image_size_bytes(&bytes, "the image").map_err(|e| Problem::of_image(&e))?;
        match size.pixels() > pixels {
            true => Err(too_many_pixels(size, pixels)),
            false => {
                let decoding_bytes = memory_of_decoding(&bytes, size);
                Ok((bytes, size, decoding_bytes))
            }
        }
    })
    .await?;
    let needs = Needs::new(&model.predictor, &wanted, size, decoding_bytes);
    if needs.most > peer.most_work_bytes() {
        return Err(too_much_memory(size, needs.most, peer.most_work_bytes()));
    }
    let memory = peer.work_memory(needs.most).await.ok_or_else(Problem::internal)?;
    let mut held = Held::new(slot, memory);

    let predictor = Arc::clone(&model.predictor);
    let shown = wanted.kinds.iter().any(|&kind| shows_the_image(kind));
    let (held, photo, info, prepared) = working(&app.workers, move || {
        let photo = decode_photo_bytes(&bytes, "the image", &predictor.reading())
            .map_err(|e| Problem::of_image(&e))?;
        drop((bytes, body_memory));
        let prepared = predictor.prepare(&photo.raster).map_err(|e| Problem::of_prediction(&e))?;
        let info = ImageInfo::of(&photo, "image");
        let photo = (shown.then_some(photo.raster), photo.coverage);
        let coverage = photo.1.as_ref().map_or(0, Vec::len) as u64;
        let profile = info.icc.as_ref().map_or(0, |profile| profile.len()) as u64;
        held.memory.shrink_to(needs.prepared + coverage + profile);
        Ok((held, photo, info, prepared))
    })
    .await?;
    let (held, predicted) =
        model.batcher.predict(prepared, held).await.map_err(|Stopped| Problem::internal())?;
    let prediction = predicted.map_err(|failed| failed.problem())?.with_threshold(wanted.threshold);

    let classes = output_palette(model.predictor.classes(), wanted.threshold)
        .map_err(|e| Problem::of_prediction(&e))?;
    let settings = wanted.settings.clone();
    let (image, coverage) = photo;
    let material = Material { image, coverage, info, prediction, classes: Arc::new(classes), settings };
    respond(&app.workers, Answer::new(&model.name, material, &wanted), held).await
}

fn model_of(app: &App, parameters: &Parameters) -> Result<Arc<ModelWorker>, Problem> {
    let Some(name) = parameters.model() else { return Ok(Arc::clone(&app.models[0])) };
    app.models.iter().find(|model| model.name == name).cloned().ok_or_else(|| {
        let names: Vec<&str> = app.models.iter().map(|model| model.name.as_str()).collect();
        let message = format!("there is no model of this name; the models are {}", names.join(", "));
        Problem::new(StatusCode::NOT_FOUND, message)
    })
}

fn too_many_pixels(size: Size, most: u64) -> Problem {
    let Size { height, width } = size;
    let message = format!("the image has {width} x {height} pixels; this server accepts at most {most}");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn too_much_memory(size: Size, needed: u64, most: u64) -> Problem {
    let Size { height, width } = size;
    let message = format!(
        "this image of {width} x {height} pixels and its outputs can need {} MiB of memory, more than the {} MiB that this \
         server has for a request; send a smaller image, one of 8 bits, or ask for other outputs",
        needed.div_ceil(1 << 20),
        most >> 20
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}
