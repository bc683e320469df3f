//! Classes as the page knows them.

use dapple_data::Classes;
use serde_json::{Value, json};

use crate::store::colour_text;

/// The number, the name and the colour of each class.
pub(super) fn listed(classes: &Classes) -> Value {
    let named = classes.names.iter().zip(&classes.colours).enumerate();
    named
        .map(|(id, (name, colour))| json!({ "id": id, "name": name, "color": colour_text(*colour) }))
        .collect()
}
