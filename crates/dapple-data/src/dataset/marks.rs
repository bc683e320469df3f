//! Taking the fingerprint of a data set.

use crate::dataset::fingerprint::{Fingerprint, Mark};
use crate::dataset::samples::{Dataset, Source};
use crate::error::Result;
use crate::format::found::Target;
use crate::image::decode::read_file;
use crate::parallel::in_parallel;

impl Dataset {
    /// The fingerprint. The first time, all files of images and masks are read, none is decoded.
    ///
    /// # Errors
    /// [`DataError::Read`](crate::DataError::Read).
    pub fn fingerprint(&self) -> Result<&Fingerprint> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known);
        }
        let marked = in_parallel(self.len(), |index| Ok((self.name(index).to_owned(), self.mark(index)?)));
        let samples = marked.into_iter().collect::<Result<_>>()?;
        let taken = Fingerprint { classes: self.classes().names.clone(), ignore: self.ignore(), samples };
        Ok(self.fingerprint.get_or_init(|| taken))
    }

    fn mark(&self, index: usize) -> Result<Mark> {
        let mut labels = crc32fast::Hasher::new();
        // The same file means other labels where its values are read in another way.
        let mut counts = self.label_counts(index).to_vec();
        counts.sort_unstable();
        labels.update(format!("{counts:?}").as_bytes());
        let image = match &self.samples[index].source {
            Source::Files { image, target, .. } => {
                match target {
                    Target::Mask(path) | Target::Segments { path, .. } => labels.update(&read_file(path)?),
                    Target::Regions { regions, .. } => labels.update(&regions.draw().labels),
                    Target::Merged(parts) => {
                        for part in parts {
                            labels.update(&read_file(&part.path)?);
                        }
                    }
                }
                crc32fast::hash(&read_file(image)?)
            }
            Source::Unlabelled { image } => crc32fast::hash(&read_file(image)?),
            Source::Memory { image, labels: map } => {
                labels.update(&map.labels);
                crc32fast::hash(&image.data)
            }
        };
        Ok(Mark { image, labels: labels.finalize() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::raster::Raster;
    use crate::mask::classes::Classes;
    use crate::mask::label_map::{LabelMap, LabelledImage};

    fn dataset(names: &[&str], shade: u8, inverted: bool, classes: Classes) -> Fingerprint {
        let pairs = names.iter().map(|name| {
            let labels = [0, 1, 0, 0].map(|label| if inverted { 1 - label } else { label });
            let image = Raster { width: 2, height: 2, channels: 1, data: vec![shade; 4] };
            let labels = LabelMap { width: 2, height: 2, labels: labels.to_vec() };
            ((*name).to_owned(), LabelledImage { image, labels })
        });
        let dataset = Dataset::from_memory(pairs.collect::<Vec<_>>(), classes, None).expect("they fit");
        dataset.fingerprint().expect("nothing is read").clone()
    }

    #[test]
    fn changed_labels_images_classes_and_samples_are_told() {
        let binary = || Classes::binary("horse");
        let then = dataset(&["a", "b"], 7, false, binary());
        assert!(then.differences(&dataset(&["a", "b"], 7, false, binary())).is_empty());

        let inverted = then.differences(&dataset(&["a", "b"], 7, true, binary()));
        assert_eq!(inverted, ["2 of 2 samples have other labels: a, b"]);
        let other = then.differences(&dataset(&["a", "c"], 8, false, binary()));
        assert_eq!(
            other,
            [
                "1 of 2 samples have another image: a",
                "1 of 2 samples are missing: b",
                "1 of 2 samples are new and take no part: c"
            ]
        );
        let mut turned = binary();
        turned.names.reverse();
        let turned = then.differences(&dataset(&["a", "b"], 7, false, turned));
        assert_eq!(
            turned,
            ["the classes stood in the order background, horse, and are now horse, background"]
        );

        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data.json");
        then.save(&path).expect("the folder is writable");
        assert_eq!(Fingerprint::load(&path).expect("just written"), then);
        std::fs::write(&path, "{").expect("the folder is writable");
        let message = Fingerprint::load(&path).expect_err("cut off").to_string();
        assert!(message.contains("data.json") && message.contains("remove it"), "{message}");
    }
}
