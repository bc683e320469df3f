//! Settings of a [`Store`](crate::Store).

use crate::WeightsError;
use std::fmt;
use std::path::PathBuf;

/// The cache folder and the way to the network.
///
/// Nothing here reads environment variables, except that [`StoreSettings::in_user_cache`] asks the system for the user's
/// cache folder. The `dapple` program fills the settings from `DAPPLE_CACHE`, `DAPPLE_OFFLINE` and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Folder of the cached files. It is created when something is downloaded.
    pub cache: PathBuf,
    /// Forbids downloads.
    pub offline: bool,
    /// Address of a mirror: files are fetched from `ADDRESS/FILE` instead of from their publishers. The publishers'
    /// checksums still apply.
    pub mirror: Option<String>,
    /// PEM file of the certificate authorities to trust instead of Mozilla's list.
    pub certificates: Option<PathBuf>,
    /// Proxy for all hosts but this machine.
    pub proxy: Option<ProxySettings>,
    /// The hub of models.
    pub hub: HubSettings,
}

/// The Hugging Face hub, or a mirror of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSettings {
    /// Its address, without a slash at the end.
    pub endpoint: String,
    /// The token that opens private repositories. It is sent to the hub alone, and only over HTTPS or to this machine.
    pub token: Option<HubToken>,
    /// Forbids downloads from the hub, in addition to [`StoreSettings::offline`].
    pub offline: bool,
}

impl Default for HubSettings {
    /// The public hub without a token.
    fn default() -> Self {
        Self { endpoint: "https://huggingface.co".to_owned(), token: None, offline: false }
    }
}

/// A secret, which is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct HubToken(String);

impl HubToken {
    /// A token; `None` for a text that cannot be sent as one: an empty one, or one with other characters than visible ones of
    /// ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_sound.then(|| Self(text.to_owned()))
    }

    /// The secret itself.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubToken")
    }
}

impl StoreSettings {
    /// A cache in this folder. Downloads are allowed, directly from the publishers.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            offline: false,
            mirror: None,
            certificates: None,
            proxy: None,
            hub: HubSettings::default(),
        }
    }

    /// The folder `dapple/weights` in the user's cache folder: `$XDG_CACHE_HOME` or `~/.cache` on Linux,
    /// `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// # Errors
    /// [`WeightsError::NoFolder`] if the user has no home folder.
    pub fn in_user_cache() -> Result<Self, WeightsError> {
        let folder = dirs::cache_dir().ok_or(WeightsError::NoFolder)?;
        Ok(Self::new(folder.join("dapple").join("weights")))
    }
}

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    address: String,
    bypass: Vec<String>,
}

impl ProxySettings {
    /// A proxy `[PROTOCOL://][USER:PASSWORD@]HOST[:PORT]`, HTTP unless the address says otherwise. Hosts that match one of
    /// the `bypass` patterns are reached directly: `example.com` (that host), `.example.com` or `*.example.com` (its
    /// subdomains), `*` (all hosts).
    ///
    /// # Errors
    /// [`WeightsError::Proxy`] for an address that cannot be parsed.
    pub fn new(address: impl Into<String>, bypass: Vec<String>) -> Result<Self, WeightsError> {
        let settings = Self { address: address.into(), bypass };
        settings.to_proxy()?;
        Ok(settings)
    }

    /// The proxy as the HTTP client takes it.
    pub(crate) fn to_proxy(&self) -> Result<ureq::Proxy, WeightsError> {
        let refuse =
            |e: ureq::Error| WeightsError::Proxy { address: self.address.clone(), why: e.to_string() };
        let parsed = ureq::Proxy::new(&self.address).map_err(refuse)?;
        // Only the builder takes patterns.
        let mut builder = ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
        if let Some(username) = parsed.username() {
            builder = builder.username(username);
        }
        if let Some(password) = parsed.password() {
            builder = builder.password(password);
        }
        for pattern in &self.bypass {
            builder = builder.no_proxy(pattern);
        }
        builder.build().map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_keep_their_credentials_and_patterns() -> Result<(), WeightsError> {
        let bypass = vec!["internal.example".to_owned(), ".lan.example".to_owned()];
        let proxy = ProxySettings::new("http://user:p%40ss@proxy.example:3128", bypass)?.to_proxy()?;
        assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
        assert_eq!((proxy.username(), proxy.password()), (Some("user"), Some("p@ss")));
        let bypassed = |address: &'static str| proxy.is_no_proxy(&ureq::http::Uri::from_static(address));
        assert!(bypassed("https://internal.example/file") && bypassed("https://a.lan.example/file"));
        assert!(!bypassed("https://example.com/file"));
        Ok(())
    }

    #[test]
    fn a_token_is_shown_nowhere() {
        let token = HubToken::new(" hf_secret\n").expect("a token");
        assert_eq!((token.secret(), format!("{token:?}").as_str()), ("hf_secret", "HubToken"));
        assert!(HubToken::new("").is_none() && HubToken::new("two words").is_none());
    }

    #[test]
    fn addresses_that_are_not_proxies_are_refused() {
        let error =
            ProxySettings::new("gopher://proxy.example", Vec::new()).expect_err("an unknown protocol");
        assert!(matches!(error, WeightsError::Proxy { .. }), "{error}");
    }
}
