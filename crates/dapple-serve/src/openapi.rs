//! The description of the API (OpenAPI 3.1).

use dapple_predict::output::OutputKind;
use serde_json::{Value, json};

use crate::app::App;
use crate::request::FORM_FIELD;

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
    let kinds = OutputKind::ALL.map(OutputKind::name);
    let parameter = |name: &str, about: &str, schema: Value| json!({ "name": name, "in": "query", "required": false, "description": about, "schema": schema });
    let mut output = parameter(
        "output",
        "Outputs to make of the image. A single file is the response itself; several come in one JSON object.",
        json!({ "type": "array", "items": { "type": "string", "enum": kinds }, "minItems": 1, "default": ["mask"] }),
    );
    let mut class = parameter(
        "class",
        "Classes of the model that a cut-out keeps; by default all but the first",
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
            parameter("format", "Format of probabilities", json!({ "type": "string", "enum": ["png8", "png16", "npy"] })),
            class,
            parameter("background", "Background of a cut-out",
                json!({ "type": "string", "pattern": "^(transparent|blur|#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}))$" })),
            parameter("refine", "Whether a cut-out's edges are fitted to the photograph", json!({ "type": "boolean" })),
            parameter("min_area", "Connected regions of fewer pixels are omitted from contours, coco and areas",
                json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64 })),
            parameter("coco", "Format of COCO regions", json!({ "type": "string", "enum": ["runs", "polygons"] })),
        ],
        "requestBody": {
            "required": true,
            "description": format!("A PNG, JPEG, WebP, TIFF, BMP or PNM image of at most {body_bytes} bytes."),
            "content": {
                "image/*": { "schema": { "type": "string", "contentMediaType": "image/*" } },
                "application/octet-stream": binary(),
                "multipart/form-data": { "schema": {
                    "type": "object",
                    "required": [FORM_FIELD],
                    "properties": { FORM_FIELD: { "type": "string", "contentMediaType": "application/octet-stream" } },
                } },
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
            "404": refusal("There is no such model"),
            "413": refusal("The body or the image is too large"),
            "415": refusal("Unsupported media type"),
            "422": refusal("The body cannot be decoded as an image, or the model cannot take it"),
            "429": come_back("Too many in-flight requests"),
            "500": refusal("Internal error"),
            "503": come_back("The request exceeded the time limit"),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::value::Error;
    use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
    use serde_json::from_value;

    use super::*;
    use crate::request::Query;

    /// Takes the names of a structure's fields from its derived `Deserialize`.
    struct FieldNames<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for FieldNames<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("not a structure"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("only the names are wanted"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    #[test]
    fn the_parameters_are_the_fields_of_the_query() {
        let mut fields: &[&str] = &[];
        assert!(Query::deserialize(FieldNames(&mut fields)).is_err());
        let operation = predict(&["horse"], &["ground", "horse"], 1);
        let parameters = operation["parameters"].as_array().expect("a list");
        let documented: BTreeSet<&str> = parameters.iter().filter_map(|p| p["name"].as_str()).collect();
        assert_eq!(documented, fields.iter().copied().collect());
        assert_eq!(documented.len(), parameters.len());
    }

    #[test]
    fn documented_values_are_accepted_and_others_refused() {
        let classes = ["ground".to_owned(), "horse".to_owned()];
        let accepts = |name: &str, value: Value| {
            let query = from_value::<Query>(json!({ name: value }));
            query.is_ok_and(|query| query.wanted(&classes).is_ok())
        };
        let operation = predict(&["horse"], &["ground", "horse"], 1);
        for parameter in operation["parameters"].as_array().expect("a list") {
            let (name, schema) = (parameter["name"].as_str().expect("a name"), &parameter["schema"]);
            let values = schema["enum"].as_array().or(schema["items"]["enum"].as_array());
            for value in values.into_iter().flatten() {
                assert!(accepts(name, value.clone()), "{name}: {value}");
            }
            for bound in
                [&schema["minimum"], &schema["maximum"]].into_iter().filter(|bound| bound.is_number())
            {
                assert!(accepts(name, bound.clone()), "{name}: {bound}");
            }
            // The model's name is checked by the route.
            let free = ["model", "refine"].contains(&name);
            assert!(free || !accepts(name, json!("no such value")), "{name}");
        }
        let form = &operation["requestBody"]["content"]["multipart/form-data"]["schema"];
        assert_eq!(form["required"], json!([FORM_FIELD]));
        assert!(form["properties"][FORM_FIELD].is_object());
    }
}
