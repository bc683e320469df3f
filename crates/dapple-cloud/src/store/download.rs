//! Reading objects, whole or not at all.

use std::io::Write;
use std::path::Path;

use dapple_base::{AtomicFile, WriteError};
use futures_util::TryStreamExt;
use object_store::{Error, GetOptions, GetRange, ObjectStore};

use super::fault::{fault, may_pass};
use super::list::{Found, key_of};
use super::settings::CloudSettings;
use crate::error::CloudError;

/// Reads an object into a file, which appears under its name when it is complete.
///
/// A body that ends early or stands still is read on from where it ended, if the object is still the same by its mark.
pub(super) async fn download(
    store: &dyn ObjectStore,
    found: &Found,
    path: &Path,
    settings: &CloudSettings,
) -> Result<(), CloudError> {
    let mut file = AtomicFile::create(path)?;
    read(store, found, settings, &mut |bytes| {
        file.write_all(bytes).map_err(|source| WriteError::new(path, source).into())
    })
    .await?;
    Ok(file.commit()?)
}

/// Gives the bytes of an object to `take`, in order and each once.
pub(super) async fn read(
    store: &dyn ObjectStore,
    found: &Found,
    settings: &CloudSettings,
    take: &mut (dyn FnMut(&[u8]) -> Result<(), CloudError> + Send),
) -> Result<(), CloudError> {
    let key = key_of(&found.location)?;
    let (mut taken, mut attempt) = (0_u64, 0);
    loop {
        let mut options = GetOptions { if_match: found.mark.clone(), ..GetOptions::default() };
        if taken > 0 {
            options.range = Some(GetRange::Offset(taken));
        }
        let reading = async {
            let result = store.get_opts(&key, options).await?;
            if result.meta.size != found.bytes || result.range.start != taken {
                return Ok(false);
            }
            let mut body = result.into_stream();
            while let Some(bytes) = body.try_next().await? {
                taken += bytes.len() as u64;
                if taken > found.bytes {
                    return Ok(false);
                }
                if let Err(error) = take(&bytes) {
                    return Ok::<bool, Stopped>(Err(error)?);
                }
            }
            Ok(true)
        };
        let error = match reading.await {
            Ok(false) => return Err(CloudError::Changed { address: found.location.to_string() }),
            Ok(true) if taken == found.bytes => return Ok(()),
            // The body ended early, and the client did not notice.
            Ok(true) => None,
            Err(Stopped::Here(error)) => return Err(error),
            Err(Stopped::There(error)) if !may_pass(&error) => return Err(fault(&found.location, &error)),
            Err(Stopped::There(error)) => Some(error),
        };
        attempt += 1;
        if attempt > settings.retries {
            return Err(match error {
                Some(error) => fault(&found.location, &error),
                None => CloudError::Fault {
                    address: found.location.to_string(),
                    reason: format!("its body ends after {taken} of {} bytes", found.bytes),
                },
            });
        }
        tokio::time::sleep(settings.wait(attempt)).await;
    }
}

/// Why reading stopped.
enum Stopped {
    /// By an error on this side.
    Here(CloudError),
    /// By one of the store.
    There(Error),
}

impl From<CloudError> for Stopped {
    fn from(error: CloudError) -> Self {
        Self::Here(error)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::There(error)
    }
}
