//! The content of a prediction request: an image, or the address of one, and parameters.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dapple_base::readable;
use futures_util::{FutureExt, stream};
use multer::{Field, Multipart};

use crate::problem::Problem;
use crate::request::members::{Member, Members};
use crate::request::parameters::{NAMES, Parameters, shown};

/// Media types whose body is the image itself; the second is curl's default for any body.
const RAW: [&str; 2] = ["application/octet-stream", "application/x-www-form-urlencoded"];

/// The field of a form, and the member of a JSON object, that holds the image.
pub(crate) const IMAGE: &str = "image";

/// The field or the member that holds the image's address.
pub(crate) const URL: &str = "url";

/// Where the image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Here.
    Image(Bytes),
    /// At an address.
    Url(String),
}

/// The content of a request.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub source: Source,
    pub parameters: Parameters,
}

/// The kind of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// The image itself.
    Raw,
    /// A form, with what separates its parts.
    Form(String),
    /// A JSON object.
    Json,
}

impl BodyKind {
    /// By the `Content-Type`.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Self::Raw) };
        let text = String::from_utf8_lossy(value.as_bytes());
        let kind = text.split(';').next().unwrap_or_default().trim().to_lowercase();
        match kind.as_str() {
            "multipart/form-data" => multer::parse_boundary(&*text)
                .map(Self::Form)
                .map_err(|_| Problem::bad_request("the form's Content-Type has no boundary")),
            "application/json" => Ok(Self::Json),
            kind if kind.starts_with("image/") || RAW.contains(&kind) => Ok(Self::Raw),
            kind => {
                let message = format!(
                    "unsupported media type {kind}: send an image as image/*, application/octet-stream, \
                     multipart/form-data, or in base64 as application/json"
                );
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
            }
        }
    }
}

impl Submission {
    /// Takes a body apart.
    pub fn read(kind: &BodyKind, body: Bytes) -> Result<Self, Problem> {
        let submission = match kind {
            BodyKind::Raw => Self { source: Source::Image(body), parameters: Parameters::default() },
            BodyKind::Form(boundary) => of_form(boundary, body)?,
            BodyKind::Json => of_json(&body)?,
        };
        match &submission.source {
            Source::Image(image) if image.is_empty() => {
                Err(Problem::bad_request("there is no image in the body"))
            }
            _ => Ok(submission),
        }
    }
}

/// Takes any body apart, for tests with arbitrary bytes: the image in it, if it is one that a request can have.
#[doc(hidden)]
pub fn image_in(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let value = content_type.parse().ok()?;
    let kind = BodyKind::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)])).ok()?;
    match Submission::read(&kind, Bytes::copy_from_slice(body)).ok()?.source {
        Source::Image(image) => Some(image.into()),
        Source::Url(_) => None,
    }
}

/// The parts of a request found so far.
#[derive(Default)]
struct Parts {
    source: Option<Source>,
    parameters: Parameters,
}

impl Parts {
    fn put(&mut self, source: Source) -> Result<(), Problem> {
        match self.source.replace(source) {
            None => Ok(()),
            Some(_) => Err(Problem::bad_request(format!("give one `{IMAGE}` or one `{URL}` a request"))),
        }
    }

    fn whole(self, what: &str) -> Result<Submission, Problem> {
        let Self { source, parameters } = self;
        let missing = || Problem::bad_request(format!("the {what} has no `{IMAGE}`"));
        Ok(Submission { source: source.ok_or_else(missing)?, parameters })
    }
}

fn of_form(boundary: &str, body: Bytes) -> Result<Submission, Problem> {
    let body = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form = Multipart::new(body, boundary);
    let mut parts = Parts::default();
    while let Some(field) = here(form.next_field())? {
        match field.name() {
            Some(IMAGE) => parts.put(Source::Image(here(field.bytes())?))?,
            Some(URL) => {
                let text = text(field)?;
                parts.put(Source::Url(text))?;
            }
            Some(name) if field.file_name().is_some() && !NAMES.contains(&name) => {
                let name = shown(name);
                return Err(Problem::bad_request(format!(
                    "{name}: a file; the image belongs into the field `{IMAGE}`"
                )));
            }
            Some(name) => {
                let name = name.to_owned();
                let value = text(field)?;
                parts.parameters.add(&name, value)?;
            }
            None => return Err(Problem::bad_request("a part of the form has no name")),
        }
    }
    parts.whole("form")
}

fn text(field: Field<'_>) -> Result<String, Problem> {
    let name = field.name().unwrap_or_default().to_owned();
    let bytes = here(field.bytes())?;
    let wrong = |_| Problem::bad_request(format!("{}: it is not a text in UTF-8", shown(&name)));
    String::from_utf8(bytes.into()).map_err(wrong)
}

/// The result of work on a form that is here as a whole.
fn here<T>(work: impl Future<Output = multer::Result<T>>) -> Result<T, Problem> {
    match work.now_or_never() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(Problem::bad_request(format!("the form is damaged: {error}"))),
        None => Err(Problem::bad_request("the form is damaged: it does not end")),
    }
}

fn of_json(body: &[u8]) -> Result<Submission, Problem> {
    let Members(members) = serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!(
            "the body is not an object as this server takes it: {}",
            readable(&error.to_string())
        ))
    })?;
    let mut parts = Parts::default();
    for (name, value) in members {
        match (name.as_str(), value) {
            (_, Member::Absent) => {}
            (IMAGE, Member::Text(text)) => parts.put(Source::Image(of_base64(text)?))?,
            (URL, Member::Text(text)) => parts.put(Source::Url(text))?,
            (IMAGE | URL, _) => return Err(Problem::bad_request(format!("{name}: give a text"))),
            (_, Member::List(values)) => {
                values.into_iter().try_for_each(|value| parts.parameters.add(&name, value))?
            }
            (_, Member::Text(value) | Member::Other(value)) => parts.parameters.add(&name, value)?,
        }
    }
    parts.whole("JSON object")
}

/// Base64 of either alphabet, with or without padding and line ends, alone or in a `data:` address.
fn of_base64(mut text: String) -> Result<Bytes, Problem> {
    let wrong = |why: String| Problem::bad_request(format!("{IMAGE}: {why}"));
    // The text is as long as the image: it is not copied.
    text.retain(|c| !c.is_ascii_whitespace());
    let data = match text.strip_prefix("data:") {
        None => &*text,
        Some(rest) => match rest.split_once(',') {
            Some((kind, data)) if kind.ends_with(";base64") => data,
            _ => return Err(wrong("give a data: address in base64, as data:image/png;base64,…".into())),
        },
    };
    let url_safe = data.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet = if url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(alphabet, config).decode(data);
    decoded.map(Bytes::from).map_err(|error| wrong(format!("it is not base64: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &[(&str, &[u8])]) -> Bytes {
        let mut form = Vec::new();
        for (name, value) in parts {
            form.extend(format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").bytes());
            form.extend(*value);
            form.extend(b"\r\n");
        }
        form.extend(b"--xyz--\r\n");
        form.into()
    }

    fn read_form(parts: &[(&str, &[u8])]) -> Result<Submission, Problem> {
        Submission::read(&BodyKind::Form("xyz".into()), form(parts))
    }

    fn read_json(text: &str) -> Result<Submission, Problem> {
        Submission::read(&BodyKind::Json, Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn the_fields_of_a_form_are_parameters_before_and_after_the_image() {
        let submission = read_form(&[
            ("output", b"cutout"),
            ("image", b"\x89PNG"),
            ("output", b"areas"),
            ("opacity", b"0.2"),
        ]);
        let submission = submission.expect("a good form");
        assert_eq!(submission.source, Source::Image(Bytes::from_static(b"\x89PNG")));
        assert_eq!(
            submission.parameters,
            Parameters::of_query("output=cutout&output=areas&opacity=0.2").expect("good")
        );
        let url = read_form(&[("url", b"https://example.org/a.png")]).expect("a good form");
        assert_eq!(url.source, Source::Url("https://example.org/a.png".into()));
        for (wrong, word) in [
            (vec![("outptu", &b"cutout"[..]), ("image", b"x")], "did you mean `output`"),
            (vec![("image", b"x"), ("image", b"y")], "one `image`"),
            (vec![("image", b"x"), ("url", b"y")], "one `image`"),
            (vec![("threshold", b"\xff"), ("image", b"x")], "threshold"),
            (vec![("output", b"mask")], "no `image`"),
            (vec![("image", b"")], "no image"),
        ] {
            let problem = read_form(&wrong).expect_err(word);
            assert!(problem.message().contains(word), "{}", problem.message());
        }
        let whole = form(&[("image", b"0123456789")]);
        let cut = whole.slice(..whole.len() - 14);
        assert!(Submission::read(&BodyKind::Form("xyz".into()), cut).is_err());
    }

    #[test]
    fn json_holds_an_image_in_base64_and_parameters() {
        let same = ["iVBORw==", "iVBORw", "data:image/png;base64,iVBORw==", "iVBO\\r\\nRw=="];
        for text in same {
            let submission = read_json(&format!(
                r#"{{"image":"{text}","output":["mask","areas"],"threshold":0.5,"refine":false,"class":null}}"#
            ));
            let submission = submission.unwrap_or_else(|e| panic!("{text}: {}", e.message()));
            assert_eq!(submission.source, Source::Image(Bytes::from_static(b"\x89PNG")), "{text}");
            let wanted = Parameters::of_query("output=mask&output=areas&threshold=0.5&refine=false");
            assert_eq!(submission.parameters, wanted.expect("good"));
        }
        let [safe, standard] = ["-_-_", "+/+/"].map(|text| read_json(&format!(r#"{{"image":"{text}"}}"#)));
        assert_eq!(safe.expect("base64").source, standard.expect("base64").source);
        for (wrong, word) in [
            ("[]", "not an object"),
            (r#"{"image":"a*b"}"#, "not base64"),
            (r#"{"image":"data:image/png,x"}"#, "base64"),
            (r#"{"image":5}"#, "give a text"),
            (r#"{"image":"iVBORw","image":"iVBORw"}"#, "image"),
            (r#"{"image":"iVBORw","threshold":{}}"#, "a list of them"),
            (r#"{"image":"iVBORw","unknown":1}"#, "no parameter `unknown`"),
            (r#"{"output":"mask"}"#, "no `image`"),
            (r#"{"image":""}"#, "no image"),
        ] {
            let problem = read_json(wrong).expect_err(wrong);
            assert!(problem.message().contains(word), "{wrong}: {}", problem.message());
        }
    }

    #[test]
    fn kinds_of_bodies() {
        let of = |text: &str| {
            BodyKind::of(&HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                text.parse().expect("a header's value"),
            )]))
        };
        assert!(
            matches!(of("multipart/form-data; boundary=x"), Ok(BodyKind::Form(boundary)) if boundary == "x")
        );
        assert!(matches!(of("Application/JSON; charset=utf-8"), Ok(BodyKind::Json)));
        assert!(matches!(of("image/jpeg"), Ok(BodyKind::Raw)));
        assert!(of("text/plain").is_err() && of("multipart/form-data").is_err());
        assert_eq!(BodyKind::of(&HeaderMap::new()).expect("any"), BodyKind::Raw);
    }
}
