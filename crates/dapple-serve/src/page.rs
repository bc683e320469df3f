//! The web page and its example images.
//!
//! All of it is in the binary and comes from this server; the policy forbids everything else.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use dapple_data::{encode_png, synthetic};

use crate::app::App;
use crate::problem::Problem;

/// Own scripts, styles, images and requests; images that the page makes itself; nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The number of example images.
pub(crate) const EXAMPLES: u64 = 3;

/// Their side in pixels.
const SIDE: usize = 384;

static PICTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let picture = |index| encode_png(&synthetic::generate(7, index, SIDE, SIDE).image).unwrap_or_default();
    (0..EXAMPLES).map(picture).collect()
});

pub(crate) fn routes() -> Router<Arc<App>> {
    let text = |kind: &'static str, text: &'static str| {
        get(move || async move {
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)], text)
        })
    };
    Router::new()
        .route("/", text("text/html; charset=utf-8", include_str!("../assets/index.html")))
        .route("/app.css", text("text/css; charset=utf-8", include_str!("../assets/app.css")))
        .route("/app.js", text("text/javascript; charset=utf-8", include_str!("../assets/app.js")))
        .route("/icon.svg", text("image/svg+xml", include_str!("../assets/icon.svg")))
        .route("/examples/{name}", get(example))
}

/// `/examples/1.png` and so on.
async fn example(Path(name): Path<String>) -> Response {
    let number = name.strip_suffix(".png").and_then(|number| number.parse::<usize>().ok());
    match number.and_then(|number| PICTURES.get(number.checked_sub(1)?)) {
        Some(picture) => ([(header::CONTENT_TYPE, "image/png")], picture.clone()).into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, format!("the examples are 1.png to {EXAMPLES}.png"))
            .into_response(),
    }
}
