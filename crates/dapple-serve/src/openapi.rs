//! The description of the API (OpenAPI 3.1).

use dapple_predict::output::OutputKind;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::request::submission::{IMAGE, URL};

/// The document, with this server's models and limits in it.
pub(crate) fn document(app: &App) -> Value {
    let models: Vec<&str> = app.models.iter().map(|model| model.name.as_str()).collect();
    // The classes of all models, each once.
    let mut classes: Vec<&str> = Vec::new();
    for name in app.models.iter().flat_map(|model| &model.predictor.classes().names) {
        if !classes.contains(&name.as_str()) {
            classes.push(name);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dapple",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Semantic segmentation: an image in; mask, overlay, cut-out, probabilities or outlines out.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": {
            "/predict": { "post": predict(&models, &classes, app.config.limits.body_bytes) },
            "/models": { "get": {
                "operationId": "models",
                "summary": "The models with their classes",
                "responses": { "200": answer("application/json", schema("Models")) },
            } },
            "/metrics": { "get": {
                "operationId": "metrics",
                "summary": "Metrics for Prometheus",
                "responses": { "200": answer("text/plain", json!({ "type": "string" })) },
            } },
            "/healthz": { "get": {
                "operationId": "healthz",
                "summary": "Whether the server and its models live",
                "security": [],
                "responses": {
                    "200": answer("application/json", schema("Health")),
                    "503": unwell("A model's thread has ended or is stuck: restart the server"),
                },
            } },
            "/readyz": { "get": {
                "operationId": "readyz",
                "summary": "Whether the server takes requests now",
                "security": [],
                "responses": {
                    "200": answer("application/json", schema("Health")),
                    "503": unwell("It is full, ends, or does not live"),
                },
            } },
            "/openapi.json": { "get": {
                "operationId": "openapi",
                "summary": "This document",
                "security": [],
                "responses": { "200": answer("application/json", json!({ "type": "object" })) },
            } },
        },
        "components": { "schemas": schemas() },
    });
    if app.config.api_key.is_some() {
        document["components"]["securitySchemes"] = json!({
            "bearer": { "type": "http", "scheme": "bearer" },
            "header": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
        });
        document["security"] = json!([{ "bearer": [] }, { "header": [] }]);
        for path in ["/models", "/metrics"] {
            document["paths"][path]["get"]["responses"]["401"] = refusal("The key is missing or wrong");
        }
        document["paths"]["/predict"]["post"]["responses"]["401"] = refusal("The key is missing or wrong");
    }
    document
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn answer(media_type: &str, schema: Value) -> Value {
    json!({ "description": "Done", "content": { media_type: { "schema": schema } } })
}

fn unwell(why: &str) -> Value {
    json!({ "description": why, "content": { "application/json": { "schema": schema("Health") } } })
}

fn refusal(why: &str) -> Value {
    json!({ "description": why, "content": { "application/json": { "schema": schema("Problem") } } })
}

fn come_back(why: &str) -> Value {
    let mut refusal = refusal(why);
    refusal["headers"] = json!({
        "Retry-After": { "description": "Seconds to wait", "schema": { "type": "integer", "minimum": 1 } },
    });
    refusal
}

/// Name, description and schema of each parameter.
fn parameters(models: &[&str], classes: &[&str]) -> [(&'static str, &'static str, Value); 10] {
    let kinds = OutputKind::ALL.map(OutputKind::name);
    let share = || json!({ "type": "number", "minimum": 0, "maximum": 1 });
    [
        ("model", "Name of the model", json!({ "type": "string", "enum": models, "default": models[0] })),
        (
            "output",
            "Outputs to make of the image. A single file is the response itself; several come in one JSON object.",
            json!({ "type": "array", "items": { "type": "string", "enum": kinds }, "minItems": 1, "default": ["mask"] }),
        ),
        (
            "threshold",
            "Probability above which a pixel is foreground (two classes) or decided (more; others become 255)",
            share(),
        ),
        ("opacity", "Weight of the colours in overlays", share()),
        ("format", "Format of probabilities", json!({ "type": "string", "enum": ["png8", "png16", "npy"] })),
        (
            "class",
            "Classes of the model that a cut-out keeps; by default all but the first",
            json!({ "type": "array", "items": { "type": "string", "enum": classes }, "minItems": 1 }),
        ),
        (
            "background",
            "Background of a cut-out",
            json!({ "type": "string", "pattern": "^(transparent|blur|#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}))$" }),
        ),
        ("refine", "Whether a cut-out's edges are fitted to the photograph", json!({ "type": "boolean" })),
        (
            "min_area",
            "Connected regions of fewer pixels are omitted from contours, coco and areas",
            json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64 }),
        ),
        ("coco", "Format of COCO regions", json!({ "type": "string", "enum": ["runs", "polygons"] })),
    ]
}

fn predict(models: &[&str], classes: &[&str], body_bytes: usize) -> Value {
    let described = parameters(models, classes);
    let binary = || json!({ "schema": { "type": "string", "contentMediaType": "application/octet-stream" } });
    let png = || json!({ "schema": { "type": "string", "contentMediaType": "image/png" } });
    let parameters: Vec<Value> = described
        .iter()
        .map(|(name, about, schema)| {
            let mut parameter = json!({ "name": name, "in": "query", "required": false, "description": about, "schema": schema });
            if schema["type"] == "array" {
                parameter["style"] = "form".into();
                parameter["explode"] = false.into();
            }
            parameter
        })
        .collect();
    // The same as fields of a form and members of an object, beside the image or its address.
    let with_image = |image: Value| {
        let mut properties = Map::from_iter([(IMAGE.to_owned(), image)]);
        properties.insert(URL.into(), json!({
            "type": "string",
            "description": "The image's address instead of the image, on a host that the server's owner lists",
        }));
        properties.extend(described.iter().map(|(name, _, schema)| ((*name).to_owned(), schema.clone())));
        let one_of = json!([{ "required": [IMAGE] }, { "required": [URL] }]);
        json!({ "schema": { "type": "object", "properties": properties, "oneOf": one_of, "additionalProperties": false } })
    };
    json!({
        "operationId": "predict",
        "summary": "Segment an image",
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "description": format!("A PNG, JPEG, WebP, TIFF, BMP or PNM image of at most {body_bytes} bytes."),
            "content": {
                "image/*": { "schema": { "type": "string", "contentMediaType": "image/*" } },
                "application/octet-stream": binary(),
                "multipart/form-data": with_image(json!({ "type": "string", "contentMediaType": "application/octet-stream" })),
                "application/json": with_image(json!({ "type": "string", "contentEncoding": "base64" })),
            },
        },
        "responses": {
            "200": { "description": "The requested output", "content": {
                "image/png": png(),
                "application/geo+json": { "schema": { "type": "object" } },
                "application/json": { "schema": { "type": "object" } },
                "text/csv": { "schema": { "type": "string" } },
                "application/octet-stream": binary(),
            } },
            "400": refusal("A parameter or the form is wrong"),
            "403": refusal("The page or the image's host is not allowed"),
            "404": refusal("There is no such model"),
            "408": refusal("The body came too slowly"),
            "413": refusal("The body or the image is too large, or the outputs need too much memory"),
            "415": refusal("Unsupported media type"),
            "422": refusal("The body cannot be decoded as an image, or the model cannot take it"),
            "429": come_back("Too many in-flight requests"),
            "500": refusal("Internal error"),
            "503": come_back("The request exceeded the time limit, or memory is short"),
        },
    })
}

fn schemas() -> Value {
    json!({
        "Problem": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": { "type": "string" } },
        },
        "Health": {
            "type": "object",
            "required": ["status", "models"],
            "properties": {
                "status": { "type": "string", "enum": ["ok", "failing", "ready", "full", "ending"] },
                "models": { "type": "object", "additionalProperties": { "type": "string", "enum": ["ok", "stuck", "dead"] } },
            },
        },
        "Models": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "classes", "networks"],
                "properties": {
                    "name": { "type": "string" },
                    "classes": { "type": "array", "items": {
                        "type": "object",
                        "required": ["name", "colour"],
                        "properties": {
                            "name": { "type": "string" },
                            "colour": { "type": "string", "pattern": "^#[0-9a-f]{6}$" },
                        },
                    } },
                    "networks": { "type": "array", "items": {
                        "type": "object",
                        "properties": { "int8_convolutions": {
                            "type": "integer",
                            "minimum": 0,
                            "description": "Convolutions that compute in integers of eight bits: 0 for a model that is not quantized",
                        } },
                    } },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::parameters::{NAMES, Parameters};

    #[test]
    fn the_parameters_are_those_that_are_read() {
        assert_eq!(parameters(&["horse"], &["ground", "horse"]).map(|(name, ..)| name), NAMES);
        let operation = predict(&["horse"], &["ground", "horse"], 1);
        for kind in ["multipart/form-data", "application/json"] {
            let properties = &operation["requestBody"]["content"][kind]["schema"]["properties"];
            for name in NAMES.into_iter().chain([IMAGE, URL]) {
                assert!(properties[name].is_object(), "{kind}: {name}");
            }
        }
    }

    #[test]
    fn documented_values_are_accepted_and_others_refused() {
        let classes = ["ground".to_owned(), "horse".to_owned()];
        let accepts = |name: &str, value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut parameters = Parameters::default();
            parameters.add(name, text).and_then(|()| parameters.wanted(&classes)).is_ok()
        };
        for (name, _, schema) in parameters(&["horse"], &["ground", "horse"]) {
            let values = schema["enum"].as_array().or(schema["items"]["enum"].as_array());
            for value in values.into_iter().flatten() {
                assert!(accepts(name, value), "{name}: {value}");
            }
            for bound in
                [&schema["minimum"], &schema["maximum"]].into_iter().filter(|bound| bound.is_number())
            {
                assert!(accepts(name, bound), "{name}: {bound}");
            }
            // The model's name is checked by the route.
            assert!(name == "model" || !accepts(name, &json!("no such value")), "{name}");
        }
    }
}
