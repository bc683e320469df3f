//! Masks on their own, without images: predictions and annotations that are to be compared.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dapple_base::open_regular;

use crate::dataset::planes::{Reading, by_table, by_themselves};
use crate::error::{DataError, Result};
use crate::format::class_table::{ClassTable, parse};
use crate::format::walk::{bad_file, read_text};
use crate::image::decode::read_file;
use crate::mask::colour::ColourTable;
use crate::mask::decoder::MaskDecoder;
use crate::mask::palettes::{Palettes, UsedPalette};
use crate::mask::raw::{MaskValues, Plane, RawMask};
use crate::parallel::in_parallel;

/// Reads the masks of one folder as all of its files, and those of the folders it is compared with, are meant.
#[derive(Debug, Clone)]
pub struct MaskReader {
    plane: Plane,
    /// Whether palettes are read by their colours.
    by_colour: bool,
    /// The colours of a class table.
    colours: Option<Arc<ColourTable>>,
}

/// The doubts about the files of one folder.
struct Folder {
    palettes: Palettes,
    alpha: bool,
}

/// The facts about one file.
struct Facts {
    palette: Option<UsedPalette>,
    /// Its colours and opacities, where all pixels have one colour.
    shape: Option<(Vec<u32>, BTreeSet<u16>)>,
}

impl MaskReader {
    /// The readers of two folders that are compared with each other, given the files of each.
    ///
    /// Palettes are read by their indices where these mean the same in all files, otherwise by their greys or by the
    /// colours of `table`, a file that names the classes; its colours are read from colour pictures too. Masks of one
    /// colour with a shape in their opacity are read by that. `ignore` is the label of colours that the table ignores.
    ///
    /// # Errors
    /// Those of reading and decoding; [`DataError::MaskValues`] where palettes contradict each other and no table helps.
    pub fn for_comparison(
        first: &[PathBuf],
        second: &[PathBuf],
        table: Option<&Path>,
        ignore: Option<u8>,
    ) -> Result<(Self, Self)> {
        let table = table.map(|path| parse(path, &read_text(path)?)).transpose()?;
        let table = table.filter(|table| table.has_colours);
        let table = table.map(|table| ClassTable { ignore: ignore.or(table.ignore), ..table });
        let colours = table.as_ref().map(colour_table).transpose()?.map(Arc::new);
        let (a, b) = (Folder::of(first)?, Folder::of(second)?);
        let conflict = [&a, &b].iter().find_map(|folder| folder.palettes.conflict().map(str::to_owned));
        let conflict = conflict.or_else(|| a.palettes.contradiction(&b.palettes));
        let grey = a.palettes.are_grey() && b.palettes.are_grey();
        let reader = |folder: &Folder, files: &[PathBuf]| {
            let of_plane = |plane| Self { plane, by_colour: false, colours: colours.clone() };
            let by_colour = Self { by_colour: true, ..of_plane(Plane::Stored) };
            if folder.alpha {
                return Ok(of_plane(Plane::Alpha));
            }
            if folder.palettes.is_empty() {
                return Ok(of_plane(Plane::Stored));
            }
            let first = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
            if let Some(table) = &table {
                let reading = by_table(first, &folder.palettes, table, None)?;
                return Ok(if let Reading::Plane(plane) = reading { of_plane(plane) } else { by_colour });
            }
            match (&conflict, grey) {
                (Some(_), true) => Ok(of_plane(Plane::Greys)),
                (Some(conflict), false) => {
                    let problem = format!(
                        "the palettes of the masks differ ({conflict}), so that their indices cannot all be the classes; \
                         name the classes with their colours in a file (classes.txt: name red green blue) and give it \
                         with --classes"
                    );
                    Err(DataError::MaskValues { path: first.to_owned(), problem })
                }
                (None, _) => Ok(match by_themselves(&folder.palettes, &[], None) {
                    Reading::Plane(plane) => of_plane(plane),
                    Reading::Colours(_) => by_colour,
                }),
            }
        };
        Ok((reader(&a, first)?, reader(&b, second)?))
    }

    /// The values of a mask: labels where colours are read, otherwise what the file stores.
    ///
    /// # Errors
    /// Those of reading and decoding, [`DataError::ColourMask`] for a colour picture without a table of colours.
    pub fn read(&self, path: &Path) -> Result<MaskValues> {
        let raw = RawMask::decode(&read_file(path)?, path)?;
        match &self.colours {
            Some(colours) if raw.is_coloured() || self.by_colour && raw.palette().is_some() => {
                let decoder = MaskDecoder::colours(ColourTable::clone(colours));
                let (map, _) = decoder.labels(raw, path, colours.classes, None)?;
                let values = map.labels.into_iter().map(u16::from).collect();
                // No label is white, which would be the foreground of two classes.
                let (width, height, white) = (map.width, map.height, 1);
                Ok(MaskValues { width, height, values, white, indexed: true, lossy: false })
            }
            _ => raw.on_plane(self.plane, path)?.into_values(path),
        }
    }
}

fn colour_table(table: &ClassTable) -> Result<ColourTable> {
    let colours = ColourTable::new(&table.classes, &table.ignored_colours, table.ignore);
    colours.map_err(|problem| bad_file(&table.path, problem))
}

impl Folder {
    /// Reads the files that have a palette or an opacity.
    fn of(files: &[PathBuf]) -> Result<Self> {
        let facts = in_parallel(files.len(), |i| Facts::of(&files[i]));
        let mut palettes = Palettes::default();
        let (mut shapes, mut varying) = (Vec::new(), None);
        for (facts, path) in facts.into_iter().zip(files) {
            let Facts { palette, shape } = facts?;
            if let Some(palette) = palette {
                palettes.add(path, &palette);
            }
            if let Some((colour, opacities)) = shape {
                varying = varying.or((opacities.len() > 1).then_some(path));
                shapes.push(colour);
            }
        }
        let all = shapes.len() == files.len();
        shapes.dedup();
        match varying {
            Some(path) if !all || shapes.len() > 1 => Err(bad_file(
                path,
                "the mask has its shape only in its opacity (the alpha channel), other masks have it in their colours, or \
                 have another colour; save all alike, as grey or palette PNG",
            )),
            _ => Ok(Self { palettes, alpha: varying.is_some() }),
        }
    }
}

impl Facts {
    fn of(path: &Path) -> Result<Self> {
        if !needs_a_look(path)? {
            return Ok(Self { palette: None, shape: None });
        }
        let raw = RawMask::decode(&read_file(path)?, path)?;
        let palette =
            raw.palette().map(|p| UsedPalette::new(p, raw.runs().collect::<BTreeSet<u16>>().into_iter()));
        let opacities: Option<BTreeSet<u16>> = raw.alpha().map(|alpha| alpha.iter().copied().collect());
        let shape = match opacities {
            Some(opacities) => {
                let mut colours = raw.into_colours(path)?.1;
                colours.truncate(1);
                Some((colours, opacities))
            }
            None => None,
        };
        Ok(Self { palette, shape })
    }
}

/// Whether a file may have a palette or an opacity, by its first bytes.
fn needs_a_look(path: &Path) -> Result<bool> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    open_regular(path).map_err(failed)?.take(32).read_to_end(&mut start).map_err(failed)?;
    Ok(match &start[..] {
        [0x89, b'P', b'N', b'G', rest @ ..] => matches!(rest.get(21), Some(3 | 4 | 6)),
        [0xff, 0xd8, ..] | [b'P', b'1'..=b'6', ..] => false,
        _ => true,
    })
}
