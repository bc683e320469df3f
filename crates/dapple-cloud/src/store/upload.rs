//! Writing objects, whole or not at all.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};

use super::fault::fault;
use super::list::key_of;
use super::settings::CloudSettings;
use crate::error::CloudError;
use crate::location::Location;

/// Parts of a file that are under way at the same time.
const PARTS: usize = 3;

/// Writes a file to an object, which appears when it is complete, in place of an older one: a small file in one request, a
/// larger one in parts. Parts that were not completed are removed.
pub(super) async fn upload(
    store: &dyn ObjectStore,
    path: &Path,
    location: &Location,
    settings: &CloudSettings,
) -> Result<(), CloudError> {
    if location.scheme().is_web() || location.is_pattern() || location.key().is_empty() {
        return Err(CloudError::Address {
            address: location.to_string(),
            problem: "no object can be written there; give the address of a folder at s3://, gs:// or az://"
                .to_owned(),
        });
    }
    let key = key_of(location)?;
    let unread = |source| CloudError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unread)?;
    let part_bytes = settings.part_bytes.max(1);
    let first = next_part(&mut file, part_bytes).map_err(unread)?;
    if first.len() < part_bytes {
        let put = store.put(&key, PutPayload::from(first)).await;
        return put.map(drop).map_err(|error| fault(location, &error));
    }
    let mut upload = store.put_multipart(&key).await.map_err(|error| fault(location, &error))?;
    let sent = send_parts(upload.as_mut(), &mut file, first, part_bytes).await;
    let failed = match sent {
        Ok(()) => match upload.complete().await {
            Ok(_) => return Ok(()),
            Err(error) => fault(location, &error),
        },
        Err(Unsent::Read(source)) => unread(source),
        Err(Unsent::Store(error)) => fault(location, &error),
    };
    // Nothing of it is seen; parts that cannot be removed now are left to the rules of the bucket.
    let _ = upload.abort().await;
    Err(failed)
}

/// Why parts were not sent.
enum Unsent {
    Read(std::io::Error),
    Store(object_store::Error),
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    file: &mut File,
    first: Vec<u8>,
    part_bytes: usize,
) -> Result<(), Unsent> {
    let mut under_way = FuturesUnordered::new();
    let mut part = first;
    while !part.is_empty() {
        under_way.push(upload.put_part(PutPayload::from(part)));
        while under_way.len() >= PARTS {
            if let Some(sent) = under_way.next().await {
                sent.map_err(Unsent::Store)?;
            }
        }
        part = next_part(file, part_bytes).map_err(Unsent::Read)?;
    }
    while let Some(sent) = under_way.next().await {
        sent.map_err(Unsent::Store)?;
    }
    Ok(())
}

/// The next bytes of a file, fewer at its end.
fn next_part(file: &mut File, part_bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(part_bytes as u64).read_to_end(&mut part)?;
    Ok(part)
}

/// Removes an object; one that is not there is no fault.
pub(super) async fn remove(store: &dyn ObjectStore, location: &Location) -> Result<(), CloudError> {
    let key: Key = key_of(location)?;
    match store.delete(&key).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(fault(location, &error)),
    }
}
