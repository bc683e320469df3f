//! Stores behind calls that wait.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use tokio::runtime::{Builder, Runtime};

use super::download::{download, read};
use super::fault::fault;
use super::list::{Found, list};
use super::open::open;
use super::settings::CloudSettings;
use super::upload::{remove, upload};
use crate::error::CloudError;
use crate::location::{Location, Scheme};

/// The stores of all addresses that a command names. Calls wait until their work is done; they may come from several threads, but
/// not from a task of an asynchronous runtime.
#[derive(Debug)]
pub struct Cloud {
    runtime: Runtime,
    settings: CloudSettings,
    stores: Mutex<HashMap<(Scheme, String), Arc<dyn ObjectStore>>>,
}

/// The threads on which requests run.
const THREADS: usize = 2;

impl Cloud {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`CloudError::Start`] if no threads can be started.
    pub fn new(settings: CloudSettings) -> Result<Self, CloudError> {
        // Another one may have been chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
        let runtime = runtime.map_err(|error| CloudError::Start(error.to_string()))?;
        Ok(Self { runtime, settings, stores: Mutex::default() })
    }

    /// The objects that an address stands for, by their keys: those that a pattern matches, those below a folder, or the object
    /// itself.
    ///
    /// # Errors
    /// [`CloudError::Absent`] if there is none, [`CloudError::Address`] for a pattern that matches none, and those of the store.
    pub fn list(&self, location: &Location) -> Result<Vec<Found>, CloudError> {
        let store = self.store(location)?;
        self.runtime.block_on(list(store.as_ref(), location))
    }

    /// As [`Cloud::list`]; no objects where there are none.
    ///
    /// # Errors
    /// Those of the store.
    pub fn list_if_any(&self, location: &Location) -> Result<Vec<Found>, CloudError> {
        match self.list(location) {
            Err(CloudError::Absent { .. }) => Ok(Vec::new()),
            Err(CloudError::Address { .. }) if location.is_pattern() => Ok(Vec::new()),
            found => found,
        }
    }

    /// The bytes of an object of at most `limit`.
    ///
    /// # Errors
    /// [`CloudError::Address`] for a larger one, [`CloudError::Changed`], and those of the store.
    pub fn read(&self, found: &Found, limit: u64) -> Result<Vec<u8>, CloudError> {
        if found.bytes > limit {
            return Err(CloudError::Address {
                address: found.location.to_string(),
                problem: format!("{} bytes, more than the {limit} that are read", found.bytes),
            });
        }
        let store = self.store(&found.location)?;
        let mut bytes = Vec::new();
        let take = &mut |more: &[u8]| {
            bytes.extend_from_slice(more);
            Ok(())
        };
        self.runtime.block_on(read(store.as_ref(), found, &self.settings, take))?;
        Ok(bytes)
    }

    /// Reads objects into files, several at a time; folders must exist. Gives the result of each, in order: a fault of one does not
    /// end the others.
    pub fn download(&self, files: &[(Found, PathBuf)]) -> Vec<Result<(), CloudError>> {
        let one = |(found, path): &(Found, PathBuf)| {
            let (store, found, path) = (self.store(&found.location), found.clone(), path.clone());
            async move { download(store?.as_ref(), &found, &path, &self.settings).await }
        };
        let tasks: Vec<_> = files.iter().map(one).collect();
        self.runtime.block_on(stream::iter(tasks).buffered(self.parallel()).collect())
    }

    /// Writes files to objects, several at a time. An object appears when it is whole; after a fault, no further ones are begun.
    ///
    /// # Errors
    /// The first fault, in order.
    pub fn upload(&self, files: &[(PathBuf, Location)]) -> Result<(), CloudError> {
        let one = |(path, location): &(PathBuf, Location)| {
            let (store, location, path) = (self.store(location), location.clone(), path.clone());
            async move { upload(store?.as_ref(), &path, &location, &self.settings).await }
        };
        let tasks: Vec<_> = files.iter().map(one).collect();
        let results = stream::iter(tasks).buffered(self.parallel());
        self.runtime.block_on(results.try_for_each(|()| async { Ok(()) }))
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// Those of the store.
    pub fn remove(&self, location: &Location) -> Result<(), CloudError> {
        let store = self.store(location)?;
        self.runtime.block_on(remove(store.as_ref(), location))
    }

    fn parallel(&self) -> usize {
        self.settings.parallel.max(1)
    }

    /// The client of an address's bucket; one for all its objects, which share connections and credentials.
    fn store(&self, location: &Location) -> Result<Arc<dyn ObjectStore>, CloudError> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = (location.scheme(), location.bucket().to_owned());
        if let Some(store) = stores.get(&bucket) {
            return Ok(Arc::clone(store));
        }
        // Some clients look for credentials with the help of the runtime.
        let _inside = self.runtime.enter();
        let store = open(location, &self.settings).map_err(|error| fault(location, &error))?;
        stores.insert(bucket, Arc::clone(&store));
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_cannot_be_reached_is_told_without_waiting_for_ever() {
        let settings = CloudSettings {
            retries: 1,
            first_wait: std::time::Duration::from_millis(1),
            variables: [
                ("aws_endpoint_url", "http://127.0.0.1:9"),
                ("aws_access_key_id", "id"),
                ("aws_secret_access_key", "a-secret"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec(),
            ..CloudSettings::default()
        };
        let cloud = Cloud::new(settings).expect("threads");
        let location: Location = "s3://bucket/x.png".parse().expect("an address");
        let error = cloud.list(&location).expect_err("nobody listens").to_string();
        assert!(error.contains("s3://bucket/x.png") && error.contains("several attempts"), "{error}");
        assert!(!error.contains("a-secret"), "{error}");
        let folder = Path::new("/");
        assert!(cloud.upload(&[(folder.join("absent"), location.clone())]).is_err());
        let web: Location = "https://127.0.0.1:9/x.png".parse().expect("an address");
        let error = cloud.upload(&[(folder.join("absent"), web)]).expect_err("only read").to_string();
        assert!(error.contains("s3://"), "{error}");
    }
}
