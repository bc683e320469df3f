//! The objects that an address stands for.

use futures_util::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, ObjectStoreExt};

use super::fault::fault;
use crate::error::CloudError;
use crate::location::Location;

/// An object that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its address.
    pub location: Location,
    /// Its size.
    pub bytes: u64,
    /// The store's mark of its content.
    pub mark: Option<String>,
}

/// The key as the client wants it. Web servers' keys are percent-encoded in addresses.
pub(super) fn key_of(location: &Location) -> Result<Key, CloudError> {
    let key = match location.scheme().is_web() {
        true => Key::from_url_path(location.key()),
        false => Key::parse(location.key()),
    };
    key.map_err(|error| fault(location, &error.into()))
}

/// One object, if there is one.
async fn one(store: &dyn ObjectStore, location: &Location) -> Result<Option<Found>, CloudError> {
    match store.head(&key_of(location)?).await {
        Ok(meta) => Ok(Some(Found { location: location.clone(), bytes: meta.size, mark: meta.e_tag })),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(fault(location, &error)),
    }
}

/// The objects of a pattern or of a folder with those below it, or the object itself, by their keys.
pub(super) async fn list(store: &dyn ObjectStore, location: &Location) -> Result<Vec<Found>, CloudError> {
    let address = || location.to_string();
    let is_one = !location.is_pattern() && !location.key().is_empty();
    if is_one && let Some(found) = one(store, location).await? {
        return Ok(vec![found]);
    }
    if location.scheme().is_web() {
        return Err(CloudError::Absent { address: address() });
    }
    let folder = location.with_key(location.folder());
    let prefix = (!folder.key().is_empty()).then(|| key_of(&folder)).transpose()?;
    let mut objects = store.list(prefix.as_ref());
    let mut found = Vec::new();
    while let Some(meta) = objects.try_next().await.map_err(|error| fault(location, &error))? {
        let key: String = meta.location.into();
        // Consoles make empty objects that stand for folders.
        if location.matches(&key) && !(meta.size == 0 && key.ends_with('/')) {
            found.push(Found { location: location.with_key(&key), bytes: meta.size, mark: meta.e_tag });
        }
    }
    if found.is_empty() {
        return Err(match location.is_pattern() {
            true => CloudError::Address {
                address: address(),
                problem: "no object matches this pattern".to_owned(),
            },
            false => CloudError::Absent { address: address() },
        });
    }
    found.sort_by(|a, b| a.location.key().cmp(b.location.key()));
    Ok(found)
}
