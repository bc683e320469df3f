//! The credentials and the region of a profile in the files of the AWS command line, `~/.aws/credentials` and `~/.aws/config`.

use std::fmt;

/// What a profile has. Its text shows no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The identifier of the key.
    pub access_key_id: Option<String>,
    /// The key.
    pub secret_access_key: Option<String>,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The address of another store than Amazon's.
    pub endpoint_url: Option<String>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Profile {
    /// The profile of a name in the texts of both files, those of the first one counting first. `None` if neither has it.
    pub fn of_texts(credentials: &str, config: &str, name: &str) -> Option<Self> {
        let (first, second) = (section(credentials, name, false), section(config, name, true));
        if first.is_none() && second.is_none() {
            return None;
        }
        let value = |key: &str| {
            let of = |section: &Option<Vec<(String, String)>>| {
                let entry = section.iter().flatten().rev().find(|(name, _)| name == key);
                entry.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
            };
            of(&first).or_else(|| of(&second))
        };
        Some(Self {
            access_key_id: value("aws_access_key_id"),
            secret_access_key: value("aws_secret_access_key"),
            session_token: value("aws_session_token"),
            region: value("region"),
            endpoint_url: value("endpoint_url"),
        })
    }
}

/// The entries of a section: `[name]`, in the second file `[profile name]` but for `[default]`. Entries that are set in are those
/// of a service and do not count.
fn section(text: &str, name: &str, is_config: bool) -> Option<Vec<(String, String)>> {
    let mut entries: Option<Vec<(String, String)>> = None;
    let mut is_inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let title = title.trim();
            let found = match title.strip_prefix("profile ") {
                Some(rest) if is_config => Some(rest.trim().trim_matches('"')),
                // A section of another kind.
                _ if is_config && title != "default" => None,
                _ => Some(title),
            };
            is_inside = found == Some(name);
            if is_inside {
                entries.get_or_insert_default();
            }
        } else if let (true, false, Some((key, value))) =
            (is_inside, line.starts_with([' ', '\t']), trimmed.split_once('='))
        {
            entries.get_or_insert_default().push((key.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = AK1\naws_secret_access_key=s/+=1\n# no\n\n[work]\n\
                               AWS_ACCESS_KEY_ID = AK2\naws_secret_access_key = s2\naws_session_token = t2\n";
    const CONFIG: &str = "[default]\nregion = eu-central-1\n[profile work]\nregion=us-west-2\ns3 =\n  endpoint_url = no\n\
                          endpoint_url = https://store.example\n[sso-session work]\nregion = no\n[profile \"only config\"]\n\
                          region = x\n";

    #[test]
    fn profiles_are_read_from_both_files() {
        let of = |name: &str| Profile::of_texts(CREDENTIALS, CONFIG, name);
        let default = of("default").expect("a profile");
        assert_eq!(default.access_key_id.as_deref(), Some("AK1"));
        assert_eq!(default.secret_access_key.as_deref(), Some("s/+=1"));
        assert_eq!((default.session_token, default.region.as_deref()), (None, Some("eu-central-1")));
        let work = of("work").expect("a profile");
        assert_eq!((work.session_token.as_deref(), work.region.as_deref()), (Some("t2"), Some("us-west-2")));
        assert_eq!(work.endpoint_url.as_deref(), Some("https://store.example"));
        assert_eq!(of("only config").expect("a profile").region.as_deref(), Some("x"));
        assert_eq!((of("absent"), of("sso-session work")), (None, None));
        let shown = format!("{:?}", of("work"));
        assert!(!shown.contains("s2") && !shown.contains("t2") && !shown.contains("AK2"), "{shown}");
    }
}
