//! The HTTP client.

use crate::{StoreSettings, WeightsError};
use std::fs;
use std::path::Path;
use std::time::Duration;
use ureq::Agent;
use ureq::config::RedirectAuthHeaders;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// A connection on which the server sends nothing for so long counts as broken.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client for one address. It never follows a redirection from HTTPS to HTTP, tells no other host who asks, and reaches this
/// machine without the proxy.
pub(crate) fn agent(url: &str, settings: &StoreSettings) -> Result<Agent, WeightsError> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = &settings.certificates {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates(path)?));
    }
    let is_local = ["http://127.0.0.1:", "http://localhost:"].iter().any(|start| url.starts_with(start));
    let proxy = settings.proxy.as_ref().filter(|_| !is_local);
    let config = Agent::config_builder()
        // Set in any case: the default is to read the environment.
        .proxy(proxy.map(|proxy| proxy.to_proxy()).transpose()?)
        .https_only(url.starts_with("https://"))
        .http_status_as_error(false)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .timeout_per_read(Some(TIMEOUT))
        .tls_config(tls.build())
        .user_agent(concat!("dapple/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().new_agent())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, WeightsError> {
    let refuse = |why: String| WeightsError::Certificates { path: path.to_owned(), why };
    let pem = fs::read(path).map_err(|e| refuse(e.to_string()))?;
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let certificates = items.collect::<Result<Vec<_>, _>>().map_err(|e| refuse(e.to_string()))?;
    if certificates.is_empty() { Err(refuse("it holds no certificates".into())) } else { Ok(certificates) }
}
