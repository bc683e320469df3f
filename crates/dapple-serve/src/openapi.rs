//! The description of the API (OpenAPI 3.1).

use dapple_predict::output::Kind;
use serde_json::{Value, json};

use crate::api::App;

/// The document, with this server's models and limits in it.
pub(crate) fn document(app: &App) -> Value {
    let models: Vec<&str> = app.models.iter().map(|model| model.name.as_str()).collect();
    // Those of all models, each once.
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
                "summary": "Counts and times for Prometheus",
                "responses": { "200": answer("text/plain", json!({ "type": "string" })) },
            } },
            "/healthz": { "get": {
                "operationId": "healthz",
                "summary": "Whether the server answers",
                "security": [],
                "responses": { "200": answer("application/json", schema("Health")) },
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

fn predict(models: &[&str], classes: &[&str], body_bytes: usize) -> Value {
    let kinds = Kind::ALL.map(Kind::name);
    let parameter = |name: &str, about: &str, schema: Value| json!({ "name": name, "in": "query", "required": false, "description": about, "schema": schema });
    let mut output = parameter(
        "output",
        "What to make of the image. One file is the answer itself; several come in one JSON object.",
        json!({ "type": "array", "items": { "type": "string", "enum": kinds }, "minItems": 1, "default": ["mask"] }),
    );
    let mut class = parameter(
        "class",
        "Classes that a cut-out keeps, of the model that is asked; all but the first by default",
        json!({ "type": "array", "items": { "type": "string", "enum": classes }, "minItems": 1 }),
    );
    for list in [&mut output, &mut class] {
        list["style"] = "form".into();
        list["explode"] = false.into();
    }
    let share = || json!({ "type": "number", "minimum": 0, "maximum": 1 });
    let binary = || json!({ "schema": { "type": "string", "contentMediaType": "application/octet-stream" } });
    let png = || json!({ "schema": { "type": "string", "contentMediaType": "image/png" } });
    json!({
        "operationId": "predict",
        "summary": "Segment an image",
        "parameters": [
            parameter("model", "Name of the model", json!({ "type": "string", "enum": models, "default": models[0] })),
            output,
            parameter("threshold", "Probability above which a pixel is foreground (two classes) or decided (more; others \
                become 255)", share()),
            parameter("opacity", "Weight of the colours in overlays", share()),
            parameter("format", "How probabilities are written", json!({ "type": "string", "enum": ["png8", "png16", "npy"] })),
            class,
            parameter("background", "What a cut-out stands on",
                json!({ "type": "string", "pattern": "^(transparent|blur|#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}))$" })),
            parameter("refine", "Whether a cut-out's edges are fitted to the photograph", json!({ "type": "boolean" })),
            parameter("min_area", "Connected regions of fewer pixels are left out of contours, coco and areas",
                json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64 })),
            parameter("coco", "How coco regions are written", json!({ "type": "string", "enum": ["runs", "polygons"] })),
        ],
        "requestBody": {
            "required": true,
            "description": format!("A PNG, JPEG, WebP, TIFF, BMP or PNM image of at most {body_bytes} bytes."),
            "content": {
                "image/*": { "schema": { "type": "string", "contentMediaType": "image/*" } },
                "application/octet-stream": binary(),
                "multipart/form-data": { "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": { "image": { "type": "string", "contentMediaType": "application/octet-stream" } },
                } },
            },
        },
        "responses": {
            "200": { "description": "What was asked for", "content": {
                "image/png": png(),
                "application/geo+json": { "schema": { "type": "object" } },
                "application/json": { "schema": { "type": "object" } },
                "text/csv": { "schema": { "type": "string" } },
                "application/octet-stream": binary(),
            } },
            "400": refusal("A parameter or the form is wrong"),
            "404": refusal("There is no such model"),
            "413": refusal("The body or the image is too large"),
            "415": refusal("The body is said to be no image"),
            "422": refusal("The body is no image that can be decoded, or the model cannot take it"),
            "429": come_back("Too many images are on their way"),
            "500": refusal("The server failed"),
            "503": come_back("It took too long"),
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
            "required": ["status"],
            "properties": { "status": { "const": "ok" } },
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
                    "networks": { "type": "array", "items": { "type": "object" } },
                },
            },
        },
    })
}
