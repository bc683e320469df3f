//! Folders of the Hugging Face hub, which transformers or segmentation_models_pytorch loads.

use dapple_base::ValueRange;
use dapple_data::Normalization;
use dapple_model::input_of;
use dapple_nets::checkpoint::{HubFiles, ModelCard, ModelFile};
use serde_json::{Value, json};

use crate::export::ExportError;

/// The files of a folder: names and contents. `licence` is an identifier of SPDX, which the card states; without it, the card says
/// that none is stated.
///
/// # Errors
/// [`ExportError::Hub`] for a network or a preparation of images that these libraries do not have.
pub fn hub_folder(
    model: &ModelFile,
    licence: Option<&str>,
) -> Result<Vec<(&'static str, Vec<u8>)>, ExportError> {
    let card = &model.card;
    let names: Vec<String> = card.classes.iter().map(|class| class.name.clone()).collect();
    let files = HubFiles::new(&card.network, &model.state, &names)
        .map_err(|error| ExportError::Hub(error.to_string()))?;
    let readme = readme(card, &files, licence);
    let text = |value: &Value| format!("{value:#}\n").into_bytes();
    Ok(vec![
        ("config.json", text(&files.config)),
        ("preprocessor_config.json", text(&preprocessor(card)?)),
        ("README.md", readme.into_bytes()),
        ("model.safetensors", files.weights),
    ])
}

/// The preparation of images, with the names of the classes for libraries whose `config.json` has none.
fn preprocessor(card: &ModelCard) -> Result<Value, ExportError> {
    let input = input_of(card)?;
    if input.normalization == Normalization::U2Net {
        let why = "its pixels are divided by the largest value of the image, which no description of the hub can say";
        return Err(ExportError::Hub(why.to_owned()));
    }
    if let Some(range) = card.images.as_ref().map(|images| &images.range)
        && *range != ValueRange::Type
    {
        let why = format!("its images have {range} for black to white, but those of the hub have 8 bits");
        return Err(ExportError::Hub(why));
    }
    // As they were written by hand: 0.485, not the nearest f32.
    let [mean, std] = input.normalization.moments(input.channels).map(|values| {
        let written = values.iter().map(|value| value.to_string().parse().unwrap_or(f64::from(*value)));
        written.collect::<Vec<f64>>()
    });
    let labels =
        card.classes.iter().enumerate().map(|(label, class)| (label.to_string(), class.name.clone().into()));
    Ok(json!({
        "image_processor_type": "SegformerImageProcessor",
        "do_resize": true,
        "size": {"height": input.height, "width": input.width},
        "resample": 2,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": mean,
        "image_std": std,
        "do_reduce_labels": false,
        "id2label": Value::Object(labels.collect())
    }))
}

/// The model card.
fn readme(card: &ModelCard, files: &HubFiles, licence: Option<&str>) -> String {
    let [height, width] = card.input_size;
    let name = &card.network.name;
    let mut head = json!({
        "library_name": files.library,
        "pipeline_tag": "image-segmentation",
        "tags": ["semantic-segmentation", "dapple", name]
    });
    if let Some(licence) = licence {
        head["license"] = licence.into();
    }
    // Every JSON text is one of YAML.
    let mut text = format!("---\n{head:#}\n---\n\n# {name}\n\n");
    text += &format!("A semantic segmentation model, written by dapple {}.\n\n", env!("CARGO_PKG_VERSION"));
    text += &match licence {
        Some(licence) => format!("Licence: {licence}\n\n"),
        None => "Licence: none is stated. Whoever publishes the model states one.\n\n".to_owned(),
    };
    text += &format!(
        "Images are resized to {height} x {width} pixels (bilinear, without regard to their proportions).\n\n"
    );
    text += "## Use\n\n```python\n";
    text += match files.library {
        "transformers" => {
            "from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation\n\n\
             processor = AutoImageProcessor.from_pretrained(\"FOLDER\")\n\
             model = AutoModelForSemanticSegmentation.from_pretrained(\"FOLDER\")\n"
        }
        _ => {
            "import segmentation_models_pytorch as smp\n\n\
             model = smp.from_pretrained(\"FOLDER\", strict=True)\n"
        }
    };
    text += "```\n\n```sh\ndapple predict FOLDER photo.jpg\n```\n\n## Classes\n\n| label | name | colour |\n|---|---|---|\n";
    for (label, class) in card.classes.iter().enumerate() {
        let [r, g, b] = class.colour;
        let name = class.name.replace('|', "\\|").replace(['\n', '\r'], " ");
        text += &format!("| {label} | {name} | #{r:02x}{g:02x}{b:02x} |\n");
    }
    if card.network.logits() == 1 {
        text += "\nThe network has one logit, that of the second class: it is the more probable one where the logit is above 0.\n";
    }
    text += "\n## Scores\n\n";
    match card.scores.is_empty() {
        true => text += "The model carries none.\n",
        false => {
            text += &format!(
                "On the validation images of its training, after {} epochs:\n\n```json\n{:#}\n```\n",
                card.epoch,
                Value::Object(card.scores.clone())
            );
        }
    }
    text
}
