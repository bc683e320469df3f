//! The images of a folder as the learner sees them, kept while there is room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dapple_base::Size;
use dapple_data::decode_image;

use super::encoder::EncoderMaps;
use super::features::simple_features;
use super::maps::Maps;
use super::pixels::{Pixels, working_labels};
use crate::error::{Result, StudioError};
use crate::store::{ImageInfo, LabelStore};

/// The memory for features, in bytes: some forty images.
const ROOM: usize = 768 << 20;

/// The features of an image, of which file they are, and when they were last asked for.
struct Kept {
    photograph: u64,
    maps: Arc<Maps>,
    used: u64,
}

/// The labelled pixels of an image that are learnt from, and what they were chosen by.
struct Chosen {
    photograph: u64,
    revision: u64,
    most: usize,
    pixels: Arc<Pixels>,
}

/// The features and the labelled pixels of the images of a folder.
pub struct Gallery {
    store: Arc<LabelStore>,
    encoder: Option<EncoderMaps>,
    maps: HashMap<String, Kept>,
    clock: u64,
    pixels: HashMap<String, Chosen>,
    /// Photographs that cannot be decoded, and why: they are not tried again before their files change.
    broken: HashMap<String, (u64, String)>,
}

impl Gallery {
    /// A gallery of a folder; without an encoder, features are simple ones alone.
    pub fn new(store: Arc<LabelStore>, encoder: Option<EncoderMaps>) -> Self {
        Self {
            store,
            encoder,
            maps: HashMap::new(),
            clock: 0,
            pixels: HashMap::new(),
            broken: HashMap::new(),
        }
    }

    /// The features of an image.
    ///
    /// # Errors
    /// Those of decoding and of the engine.
    pub fn maps(&mut self, id: &str) -> Result<Arc<Maps>> {
        let ImageInfo { path, photograph, .. } = self.store.image(id)?;
        self.clock += 1;
        if let Some(kept) = self.maps.get_mut(id).filter(|kept| kept.photograph == photograph) {
            kept.used = self.clock;
            return Ok(Arc::clone(&kept.maps));
        }
        if let Some((_, why)) = self.broken.get(id).filter(|(of, _)| *of == photograph) {
            return Err(StudioError::Refused(why.clone()));
        }
        let image = match decode_image(path) {
            Ok(image) => image,
            Err(error) => {
                self.broken.insert(id.to_owned(), (photograph, error.to_string()));
                return Err(error.into());
            }
        };
        let mut maps = simple_features(&image)?;
        if let Some(encoder) = &mut self.encoder {
            let size = Size { height: maps.height, width: maps.width };
            maps.levels.extend(encoder.levels(&image, size)?);
        }
        let maps = Arc::new(maps);
        self.maps.remove(id);
        self.make_room(maps.bytes());
        self.maps.insert(id.to_owned(), Kept { photograph, maps: Arc::clone(&maps), used: self.clock });
        Ok(maps)
    }

    /// Whether the features of an image are at hand.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.maps.contains_key(id)
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

    /// Forgets the images that are gone, and the pixels of those that are not learnt from.
    pub(super) fn keep(&mut self, known: &HashSet<&str>, learnt: &[String]) {
        self.maps.retain(|id, _| known.contains(id.as_str()));
        self.broken.retain(|id, _| known.contains(id.as_str()));
        self.pixels.retain(|id, _| learnt.contains(id));
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
        let photograph = self.store.image(id)?.photograph;
        let maps = self.maps(id)?;
        let labels = working_labels(&mask, Size { height: maps.height, width: maps.width });
        let pixels = Arc::new(Pixels::choose(&maps, &labels, id, most));
        let chosen = Chosen { photograph, revision, most, pixels: Arc::clone(&pixels) };
        self.pixels.insert(id.to_owned(), chosen);
        Ok(pixels)
    }

    /// The same, if they are at hand for the present mask, be it among more.
    pub fn known_pixels(&mut self, id: &str, most: usize) -> Option<Arc<Pixels>> {
        let present = self.store.image(id).ok()?;
        let chosen = self.pixels.get_mut(id)?;
        let fits = (chosen.revision, chosen.photograph) == (present.revision, present.photograph);
        if !fits || chosen.most < most {
            return None;
        }
        if chosen.most > most {
            chosen.pixels = Arc::new(chosen.pixels.fewer(most));
            chosen.most = most;
        }
        Some(Arc::clone(&chosen.pixels))
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
