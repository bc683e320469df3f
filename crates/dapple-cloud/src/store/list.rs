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
    let address = location.to_string();
    if location.scheme().is_web() {
        let found = one(store, location).await?;
        return found.map(|found| vec![found]).ok_or(CloudError::Absent { address });
    }
    if location.is_pattern() {
        let found = below(store, location).await?;
        let problem = "no object matches this pattern".to_owned();
        return if found.is_empty() { Err(CloudError::Address { address, problem }) } else { Ok(found) };
    }
    // What is likely is asked first: files have an extension, folders have none.
    let name = location.key().rsplit('/').next().unwrap_or_default();
    if name.contains('.')
        && let Some(found) = one(store, location).await?
    {
        return Ok(vec![found]);
    }
    let mut found = below(store, location).await?;
    if found.is_empty() && !name.is_empty() && !name.contains('.') {
        found.extend(one(store, location).await?);
    }
    if found.is_empty() { Err(CloudError::Absent { address }) } else { Ok(found) }
}

/// The objects of a pattern, or those below a folder, by their keys.
async fn below(store: &dyn ObjectStore, location: &Location) -> Result<Vec<Found>, CloudError> {
    let folder = location.with_key(location.folder());
    let prefix = (!folder.key().is_empty()).then(|| key_of(&folder)).transpose()?;
    let mut objects = store.list(prefix.as_ref());
    let mut found = Vec::new();
    while let Some(meta) = objects.try_next().await.map_err(|error| fault(location, &error))? {
        let key: String = meta.location.into();
        if location.matches(&key) {
            found.push(Found { location: location.with_key(&key), bytes: meta.size, mark: meta.e_tag });
        }
    }
    found.sort_by(|a, b| a.location.key().cmp(b.location.key()));
    Ok(found)
}
