//! The parameters of a prediction, from the address, a form or a JSON object.

use std::collections::BTreeMap;

use dapple_base::nearest;
use dapple_predict::output::{
    Background, CocoForm, OutputKind, OutputSettings, ProbabilityFormat, Refine, UnknownKind,
};

use crate::problem::Problem;

/// The parameters of `POST /predict`.
pub(crate) const NAMES: [&str; 10] = [
    "model",
    "output",
    "threshold",
    "opacity",
    "format",
    "class",
    "background",
    "refine",
    "min_area",
    "coco",
];

/// Those that are lists, and may be given several times or with commas.
const LISTS: [&str; 2] = ["output", "class"];

/// The longest value, in bytes.
const MOST_TEXT: usize = 1 << 14;

/// The most values of a list: far more than there are classes.
const MOST_VALUES: usize = 1024;

/// Parameters as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(BTreeMap<&'static str, Vec<String>>);

/// The requested outputs and their settings.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub kinds: Vec<OutputKind>,
    pub settings: OutputSettings,
    pub threshold: Option<f32>,
}

impl Parameters {
    /// Those of an address.
    pub fn of_query(query: &str) -> Result<Self, Problem> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.add(&name, value.into_owned())?;
        }
        Ok(parameters)
    }

    /// Adds a value.
    pub fn add(&mut self, name: &str, value: String) -> Result<(), Problem> {
        let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
            let hint =
                nearest(name, NAMES).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            return Err(Problem::bad_request(format!(
                "there is no parameter `{}`; {hint}the parameters are {}",
                shown(name),
                NAMES.join(", ")
            )));
        };
        let values = self.0.entry(known).or_default();
        if !values.is_empty() && !LISTS.contains(&known) {
            return Err(Problem::bad_request(format!("{known}: it is given twice; give it once")));
        }
        if value.len() > MOST_TEXT || values.len() == MOST_VALUES {
            return Err(Problem::bad_request(format!(
                "{known}: it is too long; give at most {MOST_VALUES} values of at most {MOST_TEXT} bytes"
            )));
        }
        values.push(value);
        Ok(())
    }

    /// These and those of the body, which must not contradict them.
    pub fn with_those_of_the_body(mut self, body: Self) -> Result<Self, Problem> {
        for (name, values) in body.0 {
            if self.0.get(name).is_some_and(|own| *own != values) {
                return Err(Problem::bad_request(format!(
                    "{name}: the address says `{}` and the body `{}`; give it in one of them",
                    shown(&self.0[name].join(",")),
                    shown(&values.join(",")),
                )));
            }
            self.0.insert(name, values);
        }
        Ok(self)
    }

    /// The name of the model, if one is given.
    pub fn model(&self) -> Option<&str> {
        self.one("model")
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    fn list(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice)
    }

    fn share(&self, name: &str) -> Result<Option<f32>, Problem> {
        let Some(text) = self.one(name) else { return Ok(None) };
        match text.parse() {
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(Some(value)),
            _ => Err(Problem::bad_request(format!("{name}: give a number from 0 to 1"))),
        }
    }

    /// Checks everything but the model's name.
    pub fn wanted(&self, classes: &[String]) -> Result<Wanted, Problem> {
        let mut kinds: Vec<OutputKind> = Vec::new();
        let given = self.list("output").unwrap_or_default().iter().flat_map(|text| text.split(','));
        for name in given {
            let kind = name.parse().map_err(|e: UnknownKind| Problem::bad_request(format!("output: {e}")))?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            kinds.push(OutputKind::Mask);
        }
        let default = OutputSettings::default();
        let settings = OutputSettings {
            opacity: self.share("opacity")?.unwrap_or(default.opacity),
            probability: match self.one("format") {
                None | Some("png8") => ProbabilityFormat::Png8,
                Some("png16") => ProbabilityFormat::Png16,
                Some("npy") => ProbabilityFormat::Npy,
                Some(_) => return Err(Problem::bad_request("format: give png8, png16 or npy")),
            },
            keep: self.list("class").map(|names| kept(names, classes)).transpose()?,
            refine: match self.one("refine") {
                None | Some("true") => Refine::Guided,
                Some("false") => Refine::Off,
                Some(_) => return Err(Problem::bad_request("refine: give true or false")),
            },
            background: match self.one("background") {
                None | Some("transparent") => Background::Transparent,
                Some("blur") => Background::Blur,
                Some(text) => Background::Colour(Background::colour_of(text).ok_or_else(|| {
                    Problem::bad_request("background: give transparent, blur, or a colour such as #20a0ff")
                })?),
            },
            min_area: match self.one("min_area").map(str::parse) {
                None => default.min_area,
                Some(Ok(pixels)) => pixels,
                Some(Err(_)) => return Err(Problem::bad_request("min_area: give a whole number of pixels")),
            },
            coco: match self.one("coco") {
                None | Some("runs") => CocoForm::Runs,
                Some("polygons") => CocoForm::Polygons,
                Some(_) => return Err(Problem::bad_request("coco: give runs or polygons")),
            },
            memory_bytes: default.memory_bytes,
        };
        Ok(Wanted { kinds, settings, threshold: self.share("threshold")? })
    }
}

/// The labels of classes, whose names may contain commas, each once: cut-outs look them up for every row.
fn kept(names: &[String], classes: &[String]) -> Result<Vec<u8>, Problem> {
    let label = |name: &str| {
        let label = classes.iter().position(|class| class == name);
        // A model has at most 256 classes.
        label.map(|label| label as u8).ok_or_else(|| {
            Problem::bad_request(format!(
                "class: there is no `{}`; the classes are {}",
                shown(name),
                classes.join(", ")
            ))
        })
    };
    let mut labels: Vec<u8> = Vec::new();
    for name in names {
        let found = match label(name) {
            Ok(label) => vec![label],
            Err(_) => name.split(',').map(label).collect::<Result<Vec<_>, _>>()?,
        };
        for label in found {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    Ok(labels)
}

/// The beginning of a text of the client, for a message.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let plain = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let begin: String = plain.clone().take(MOST).collect();
    if plain.count() > MOST { begin + "…" } else { begin }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> [String; 3] {
        ["ground", "horse", "cart, wheel"].map(str::to_owned)
    }

    #[test]
    fn queries_are_checked() {
        let wanted = |query: &str| Parameters::of_query(query).and_then(|p| p.wanted(&classes()));
        let several = wanted("output=areas,mask,areas&class=horse").expect("a good query");
        assert_eq!(
            (several.kinds, several.settings.keep),
            (vec![OutputKind::Areas, OutputKind::Mask], Some(vec![1]))
        );
        let several =
            wanted("output=areas&output=mask&class=cart,+wheel&class=ground,horse").expect("a good query");
        assert_eq!((several.kinds.len(), several.settings.keep), (2, Some(vec![2, 0, 1])));
        assert!(wanted("").is_ok() && wanted("background=%230f8").is_ok());
        let again = wanted("class=horse,horse,ground&class=horse").expect("a good query");
        assert_eq!(again.settings.keep, Some(vec![1, 0]));
        for long in ["class=horse&".repeat(MOST_VALUES + 1), format!("class={}", "horse,".repeat(MOST_TEXT))]
        {
            assert!(Parameters::of_query(&long).is_err_and(|problem| problem.message().contains("too long")));
        }
        for wrong in [
            "output=",
            "output=mask,",
            "threshold=NaN",
            "threshold=",
            "opacity=1.1",
            "format=jpg",
            "class=cow",
            "background=/etc/passwd",
            "refine=yes",
            "min_area=-1",
            "threshold=0.1&threshold=0.2",
            "outptu=mask",
        ] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn address_and_body_may_not_contradict_each_other() {
        let of = |query| Parameters::of_query(query).expect("a good query");
        let both = of("output=mask&opacity=0.3").with_those_of_the_body(of("output=mask&threshold=0.2"));
        let both = both.expect("they agree").wanted(&classes()).expect("in range");
        assert_eq!((both.settings.opacity, both.threshold), (0.3, Some(0.2)));
        let problem = of("output=mask").with_those_of_the_body(of("output=cutout")).expect_err("two ways");
        assert!(problem.message().contains("`mask`") && problem.message().contains("`cutout`"));
    }
}
