//! The images of a folder as the learner sees them, kept while there is room.

use std::collections::HashMap;
use std::sync::Arc;

use dapple_base::Size;
use dapple_data::decode_image;

use super::encoder::EncoderMaps;
use super::features::simple_features;
use super::maps::Maps;
use super::pixels::{Pixels, working_labels};
use crate::error::Result;
use crate::store::LabelStore;

/// The memory for features, in bytes: some forty images.
const ROOM: usize = 768 << 20;

/// The features of an image, and when they were last asked for.
struct Kept {
    maps: Arc<Maps>,
    used: u64,
}

/// The features and the labelled pixels of the images of a folder.
pub struct Gallery {
    store: Arc<LabelStore>,
    encoder: Option<EncoderMaps>,
    maps: HashMap<String, Kept>,
    clock: u64,
    /// With the revision of the mask and the number that they were chosen by.
    pixels: HashMap<String, (u64, usize, Arc<Pixels>)>,
}

impl Gallery {
    /// A gallery of a folder; without an encoder, features are simple ones alone.
    pub fn new(store: Arc<LabelStore>, encoder: Option<EncoderMaps>) -> Self {
        Self { store, encoder, maps: HashMap::new(), clock: 0, pixels: HashMap::new() }
    }

    /// The features of an image.
    ///
    /// # Errors
    /// Those of decoding and of the engine.
    pub fn maps(&mut self, id: &str) -> Result<Arc<Maps>> {
        self.clock += 1;
        if let Some(kept) = self.maps.get_mut(id) {
            kept.used = self.clock;
            return Ok(Arc::clone(&kept.maps));
        }
        let image = decode_image(self.store.image(id)?.path)?;
        let mut maps = simple_features(&image)?;
        if let Some(encoder) = &mut self.encoder {
            let size = Size { height: maps.height, width: maps.width };
            maps.levels.extend(encoder.levels(&image, size)?);
        }
        let maps = Arc::new(maps);
        self.make_room(maps.bytes());
        self.maps.insert(id.to_owned(), Kept { maps: Arc::clone(&maps), used: self.clock });
        Ok(maps)
    }

    /// Forgets the images that have not been asked for the longest.
    fn make_room(&mut self, bytes: usize) {
        let mut taken: usize = self.maps.values().map(|kept| kept.maps.bytes()).sum();
        while taken + bytes > ROOM {
            let oldest = self.maps.iter().min_by_key(|(_, kept)| kept.used).map(|(id, _)| id.clone());
            let Some(kept) = oldest.and_then(|id| self.maps.remove(&id)) else { break };
            taken -= kept.maps.bytes();
        }
    }

    /// The labelled pixels of an image that are learnt from, at most so many of each class.
    ///
    /// # Errors
    /// Those of the image and its mask.
    pub fn pixels(&mut self, id: &str, most: usize) -> Result<Arc<Pixels>> {
        if let Some(pixels) = self.known_pixels(id, most) {
            return Ok(pixels);
        }
        let (mask, revision) = self.store.mask(id)?;
        let maps = self.maps(id)?;
        let labels = working_labels(&mask, Size { height: maps.height, width: maps.width });
        let pixels = Arc::new(Pixels::choose(&maps, &labels, id, most));
        self.pixels.insert(id.to_owned(), (revision, most, Arc::clone(&pixels)));
        Ok(pixels)
    }

    /// The same, if they are at hand for the present mask.
    pub fn known_pixels(&self, id: &str, most: usize) -> Option<Arc<Pixels>> {
        let (revision, by, pixels) = self.pixels.get(id)?;
        let present = self.store.image(id).ok()?.revision;
        (*revision == present && *by == most).then(|| Arc::clone(pixels))
    }

    /// The labels of an image at the size at which it is looked at.
    ///
    /// # Errors
    /// Those of the image and its mask.
    pub fn labels(&mut self, id: &str) -> Result<Vec<u8>> {
        let maps = self.maps(id)?;
        let (mask, _) = self.store.mask(id)?;
        Ok(working_labels(&mask, Size { height: maps.height, width: maps.width }))
    }
}
