//! The content of a `config.json` of segmentation_models_pytorch.

use super::classes::{CLASSES, shown};
use super::reader::Reader;
use crate::checkpoint::error::ContentError;
use crate::config::NetConfig;
use dapple_base::json_fault;
use serde_json::{Map, Value};

/// Largest `config.json`; real ones have less than a kilobyte.
pub(super) const LARGEST: u64 = 1 << 20;

/// The network that the content of a `config.json` describes.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<NetConfig>, ContentError> {
    let unreadable = |why: String| Err(ContentError::Unreadable(why));
    if bytes.len() as u64 > LARGEST {
        return unreadable("larger than 1 MiB, which the settings of a model never are".to_owned());
    }
    let settings: Map<String, Value> = match serde_json::from_slice(bytes) {
        Ok(Value::Object(settings)) => settings,
        Ok(_) => return unreadable("not a JSON object of settings".to_owned()),
        Err(error) => return unreadable(json_fault(&error)),
    };
    let Some(class) = settings.get("_model_class") else { return Ok(None) };
    let Some(class) = class.as_str().and_then(|name| CLASSES.iter().find(|class| class.name == name)) else {
        let known = CLASSES.map(|class| class.name).join(", ");
        return Err(ContentError::Settings(vec![format!(
            "`_model_class` is {}, the supported ones are {known}",
            shown(class)
        )]));
    };
    Reader::new(&settings).read(class).map(Some).map_err(ContentError::Settings)
}
