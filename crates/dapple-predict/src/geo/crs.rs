//! Coordinate systems: by EPSG codes, and in well-known text (OGC 01-009, as in files `.prj`, and ISO 19162).

/// Mercator systems for maps on the web: their metres are those of the equator only.
const WEB_MERCATOR: [u16; 3] = [3857, 3785, 3395];

/// Metres of a unit of a projected system, in words of its projection or its code, whose unit has so many metres.
pub(super) fn metres_on_ground(code: Option<u16>, unit: Option<f64>) -> Option<f64> {
    match (unit, code) {
        (_, Some(code)) if WEB_MERCATOR.contains(&code) => None,
        (Some(unit), _) => Some(unit),
        // The zones of Universal Transverse Mercator, and the systems of Europe, are in metres.
        (None, Some(32601..=32660 | 32701..=32760 | 25828..=25838 | 23028..=23038 | 3034 | 3035)) => {
            Some(1.0)
        }
        (None, _) => None,
    }
}

/// What the text of a coordinate system says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct System {
    pub epsg: Option<u16>,
    pub metres: Option<f64>,
}

impl System {
    /// Of `EPSG:32633`, or of well-known text.
    pub fn of_text(text: &str) -> Self {
        if let Some(code) = text.trim().strip_prefix("EPSG:") {
            let epsg = code.parse().ok();
            return Self { epsg, metres: metres_on_ground(epsg, None) };
        }
        let parts = parts(text);
        let is_system = |part: &&Part| {
            ["PROJCS", "PROJCRS", "PROJECTEDCRS", "GEOGCS", "GEOGCRS", "GEODCRS"]
                .contains(&part.name.as_str())
        };
        let Some(system) = parts.iter().find(is_system) else { return Self::default() };
        let own = |below: usize| parts.iter().filter(move |part| part.depth == system.depth + below);
        let authority = own(1).find(|part| part.name == "AUTHORITY" || part.name == "ID");
        let authority = authority.filter(|part| part.values.first().is_some_and(|name| name == "EPSG"));
        let epsg = authority.and_then(|part| part.values.get(1)?.parse().ok());
        // Those of Mercator's projection itself grow towards the poles.
        let is_mercator =
            parts.iter().filter(|part| part.name == "PROJECTION" || part.name == "METHOD").any(|part| {
                let name = part.values.first().map(|name| name.to_lowercase()).unwrap_or_default();
                name.contains("mercator") && !name.contains("transverse") && !name.contains("oblique")
            });
        if !system.name.starts_with("PROJ") || is_mercator {
            return Self { epsg, metres: None };
        }
        let of_axes = own(2).find(|part| part.name == "LENGTHUNIT");
        let unit = own(1).find(|part| part.name == "UNIT" || part.name == "LENGTHUNIT").or(of_axes);
        let unit = unit.and_then(|part| part.values.get(1)?.parse().ok());
        let unit = unit.filter(|unit: &f64| unit.is_finite() && *unit > 0.0);
        Self { epsg, metres: metres_on_ground(epsg, unit) }
    }
}

/// A keyword with what stands in its brackets, but for those of other keywords.
#[derive(Debug, Default)]
struct Part {
    depth: usize,
    name: String,
    values: Vec<String>,
}

/// The keywords of well-known text in their order.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            _ if quoted => word.push(letter),
            '[' | '(' => {
                let name = word.trim().to_uppercase();
                parts.push(Part { depth: open.len(), name, values: Vec::new() });
                open.push(parts.len() - 1);
                word.clear();
            }
            ',' | ']' | ')' => {
                if let Some(&part) = open.last()
                    && !word.trim().is_empty()
                {
                    parts[part].values.push(word.trim().to_owned());
                }
                word.clear();
                if letter != ',' {
                    open.pop();
                }
            }
            _ => word.push(letter),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_units_of_well_known_text() {
        let of = |text: &str| {
            let System { epsg, metres } = System::of_text(text);
            (epsg, metres)
        };
        assert_eq!(of("EPSG:32633"), (Some(32633), Some(1.0)));
        assert_eq!(of("EPSG:4326"), (Some(4326), None));
        let utm = |end: &str| {
            format!(
                "PROJCS[\"WGS 84 / UTM zone 33N\",GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257]],\
                 UNIT[\"degree\",0.0174532925199433],AUTHORITY[\"EPSG\",\"4326\"]],PROJECTION[\"Transverse_Mercator\"],\
                 PARAMETER[\"false_easting\",500000]{end}]"
            )
        };
        assert_eq!(of(&utm(",UNIT[\"metre\",1],AUTHORITY[\"EPSG\",\"32633\"]")), (Some(32633), Some(1.0)));
        assert_eq!(of(&utm(",UNIT[\"Foot_US\",0.3048006096012192]")), (None, Some(0.304_800_609_601_219_2)));
        assert_eq!(of(&utm("")), (None, None));
        let compound =
            format!("COMPD_CS[\"a, [b\",{},VERT_CS[\"h\",UNIT[\"foot\",0.3]]]", utm(",UNIT[\"metre\",1]"));
        assert_eq!(of(&compound), (None, Some(1.0)));
        let web = "PROJCS[\"x\",PROJECTION[\"Mercator_Auxiliary_Sphere\"],UNIT[\"Meter\",1.0]]";
        assert_eq!(of(web), (None, None));
        let newer = "PROJCRS[\"WGS 84 / UTM zone 33N\",BASEGEOGCRS[\"WGS 84\",DATUM[\"W\",ELLIPSOID[\"WGS 84\",6378137,298.2,\
                     LENGTHUNIT[\"metre\",1]]]],CONVERSION[\"UTM\",METHOD[\"Transverse Mercator\"]],CS[Cartesian,2],\
                     AXIS[\"(E)\",east,LENGTHUNIT[\"foot\",0.3048]],ID[\"EPSG\",32633]]";
        assert_eq!(of(newer), (Some(32633), Some(0.3048)));
        assert_eq!(
            of("GEOGCS[\"WGS 84\",UNIT[\"degree\",0.017],AUTHORITY[\"EPSG\",\"4326\"]]"),
            (Some(4326), None)
        );
        for nothing in ["", "]]]", "LOCAL_CS[\"x\",UNIT[\"metre\",1]]", "PROJCS[\"x\"", "EPSG:x"] {
            assert_eq!(of(nothing), (None, None), "{nothing}");
        }
    }
}
