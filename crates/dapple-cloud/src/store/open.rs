//! The client of a store, by the kind of an address, with the standard chain of credentials.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, RetryConfig};

use super::settings::CloudSettings;
use crate::location::{Location, Scheme};
use crate::profile::Profile;

/// The longest time in which a request is tried again.
const RETRY_TIME: Duration = Duration::from_secs(180);
/// The longest time to reach a store.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The client of an address's store.
///
/// Credentials come from the environment, in which the variables of each cloud's own tools count; then, of S3, from the files of the AWS
/// command line; then from the machine's role.
pub(super) fn open(location: &Location, settings: &CloudSettings) -> Result<Arc<dyn ObjectStore>, Error> {
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: settings.first_wait,
            max_backoff: CloudSettings::LONGEST_WAIT,
            base: 2.0,
        },
        max_retries: settings.retries,
        retry_timeout: RETRY_TIME,
    };
    // An object may take long; no byte for a while is a fault.
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(settings.patience)
        .with_connect_timeout(CONNECT_TIME);
    match location.scheme() {
        Scheme::S3 => s3(location, settings, options, retry),
        Scheme::Gcs => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(location.bucket());
            let builder =
                settings.variables.iter().fold(builder, |builder, (key, value)| match key.parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                });
            Ok(Arc::new(builder.with_client_options(options).with_retry(retry).build()?))
        }
        Scheme::Azure => {
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(location.bucket());
            let builder =
                settings.variables.iter().fold(builder, |builder, (key, value)| match key.parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                });
            Ok(Arc::new(builder.with_client_options(options).with_retry(retry).build()?))
        }
        Scheme::Https | Scheme::Http => {
            let url = format!("{}{}", location.scheme().prefix(), location.bucket());
            let options = options.with_allow_http(location.scheme() == Scheme::Http);
            Ok(Arc::new(
                HttpBuilder::new().with_url(url).with_client_options(options).with_retry(retry).build()?,
            ))
        }
    }
}

fn s3(
    location: &Location,
    settings: &CloudSettings,
    options: ClientOptions,
    retry: RetryConfig,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(location.bucket());
    for (key, value) in &settings.variables {
        if let Ok(key) = key.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let has = |name: &str| settings.variable(name).is_some();
    let profile = profile(settings).unwrap_or_default();
    let named = settings.variable("AWS_ENDPOINT_URL_S3").or_else(|| settings.variable("AWS_ENDPOINT_URL"));
    let named = named.or_else(|| settings.variable("AWS_ENDPOINT"));
    if let (None, Some(endpoint)) = (&named, &profile.endpoint_url) {
        builder = builder.with_endpoint(endpoint);
    }
    // Who names a store without encryption wants it, in a cluster for instance.
    let is_plain = named.or(profile.endpoint_url).is_some_and(|endpoint| endpoint.starts_with("http://"));
    if let (false, false, Some(region)) = (has("AWS_REGION"), has("AWS_DEFAULT_REGION"), &profile.region) {
        builder = builder.with_region(region);
    }
    // In containers and with a web identity, roles go before files.
    let elsewhere = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ];
    if let (Some(id), Some(key)) = (profile.access_key_id, profile.secret_access_key)
        && !elsewhere.into_iter().any(has)
    {
        builder = builder.with_access_key_id(id).with_secret_access_key(key);
        if let Some(token) = profile.session_token {
            builder = builder.with_token(token);
        }
    }
    Ok(Arc::new(builder.with_client_options(options.with_allow_http(is_plain)).with_retry(retry).build()?))
}

/// The profile that is chosen, from the files of the AWS command line.
fn profile(settings: &CloudSettings) -> Option<Profile> {
    let home = settings.variable("HOME").or_else(|| settings.variable("USERPROFILE")).map(PathBuf::from);
    let text = |variable: &str, name: &str| {
        let file = settings.variable(variable).map(PathBuf::from);
        let file = file.or_else(|| Some(home.as_ref()?.join(".aws").join(name)));
        file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
    };
    let credentials = text("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let config = text("AWS_CONFIG_FILE", "config");
    let name = settings.variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    Profile::of_texts(&credentials, &config, &name)
}
