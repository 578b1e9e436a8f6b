//! A folder of class folders of PNG pictures.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, ImageError};

use super::{divided, name, reading};
use crate::base::rng::Streams;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;
use crate::tasks::{budget, standardise};

/// Class folders, in the order of their names (numbers in numerical order), with PNG pictures of one size. Where the folder
/// holds folders `train` and `test` with class folders each, these are the splits; otherwise a fifth of each class is for testing.
///
/// Pictures become `[H, W, 1]` if all are grey and `[H, W, 3]` otherwise, with 8 bits a channel and without transparency,
/// standardised per channel by the training pixels. Other files and hidden ones are passed over.
///
/// # Errors
/// [`TaskError`], for folders without pictures, damaged pictures and pictures of other sizes.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let root = reading::folder(spec, "one folder of PNG pictures a class")?;
    let (train_root, test_root) = (root.join("train"), root.join("test"));
    let (mut train, mut test, classes) = if train_root.is_dir() && test_root.is_dir() {
        let classes = class_folders(&train_root)?;
        let listed = list(&train_root, &classes)?;
        let test_listed = list(&test_root, &classes)?;
        if let Some(stranger) = class_folders(&test_root)?.into_iter().find(|class| !classes.contains(class)) {
            return Err(TaskError::Missing {
                folder: train_root,
                looked_for: format!("{stranger:?}, a class of the test folder"),
            });
        }
        let pictures = decode(listed.iter().chain(&test_listed))?;
        let all: Vec<(PathBuf, u32)> = listed.into_iter().chain(test_listed.iter().cloned()).collect();
        let all = pictures.split(&all, classes.len());
        let n = all.len() - test_listed.len();
        (all.first(n), all.select(&(n..all.len()).collect::<Vec<_>>()), classes)
    } else {
        let classes = class_folders(root)?;
        let listed = list(root, &classes)?;
        let all = decode(listed.iter())?.split(&listed, classes.len());
        let (train, test) = divided(&all, root)?;
        (train, test, classes)
    };
    let channels = match &train.inputs {
        Inputs::Features { shape, .. } => shape[2],
        Inputs::Tokens { .. } => 1,
    };
    standardise::inputs(&mut train, &mut test, channels);
    let source = format!("Your pictures in {root:?}");
    Ok(Task { title: name(root), train, test, class_names: classes, source })
}

/// Names of the class folders.
fn class_folders(root: &Path) -> Result<Vec<String>, TaskError> {
    let folders: Vec<String> =
        reading::entries(root)?.iter().filter(|path| path.is_dir()).map(|path| name(path)).collect();
    match folders.len() {
        0 => Err(TaskError::NoClassFolders { path: root.into() }),
        1 => Err(TaskError::TooFewClasses {
            path: root.into(),
            found: format!("only the class folder {:?}", folders[0]),
        }),
        _ => Ok(folders),
    }
}

/// Every picture with its class.
fn list(root: &Path, classes: &[String]) -> Result<Vec<(PathBuf, u32)>, TaskError> {
    let mut listed = Vec::new();
    for (label, class) in (0..).zip(classes) {
        let folder = root.join(class);
        if !folder.is_dir() {
            return Err(TaskError::Missing { folder: root.into(), looked_for: format!("the class folder {class:?}") });
        }
        let before = listed.len();
        let png = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) && path.is_file();
        listed.extend(reading::entries(&folder)?.into_iter().filter(png).map(|path| (path, label)));
        if listed.len() == before {
            return Err(TaskError::NoPictures {
                path: folder,
                expected: "every class folder needs pictures whose names end in .png",
            });
        }
    }
    Ok(listed)
}

/// Decoded pictures of one size.
struct Pictures {
    images: Vec<DynamicImage>,
    height: usize,
    width: usize,
}

impl Pictures {
    fn split(&self, listed: &[(PathBuf, u32)], classes: usize) -> Split {
        let grey = self.images.iter().all(|image| !image.color().has_color());
        let channels = if grey { 1 } else { 3 };
        let mut values = Vec::with_capacity(self.images.len() * self.height * self.width * channels);
        for image in &self.images {
            let bytes = if grey { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() };
            values.extend(bytes.into_iter().map(f32::from));
        }
        Split {
            inputs: Inputs::Features { values, shape: vec![self.height, self.width, channels] },
            targets: Targets::Classes { labels: listed.iter().map(|(_, label)| *label).collect(), classes },
        }
    }
}

fn decode<'a>(listed: impl Iterator<Item = &'a (PathBuf, u32)> + Clone) -> Result<Pictures, TaskError> {
    let count = listed.clone().count();
    let mut pictures = Pictures { images: Vec::new(), height: 0, width: 0 };
    for (path, _) in listed {
        let unreadable = |source| TaskError::Unreadable { path: path.clone(), source };
        let undecodable =
            |error: ImageError| TaskError::BadPicture { path: path.clone(), message: reading::one_line(error) };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() == 0 {
            return Err(TaskError::Empty { path: path.clone(), expected: "a PNG picture" });
        }
        let decoder = PngDecoder::new(BufReader::new(file)).map_err(undecodable)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        if pictures.images.is_empty() {
            (pictures.height, pictures.width) = (height, width);
            let sizes = [count, height, width, 3 * size_of::<f32>()];
            budget::check(
                || format!("{count} pictures of {width}x{height} pixels as in {path:?}"),
                &sizes,
                "give fewer or smaller pictures",
            )?;
        } else if (height, width) != (pictures.height, pictures.width) {
            return Err(TaskError::WrongShape {
                path: path.clone(),
                found: format!("{width}x{height} pixels"),
                expected: format!(
                    "{}x{} as in the first picture; all must have one size",
                    pictures.width, pictures.height
                ),
            });
        }
        pictures.images.push(DynamicImage::from_decoder(decoder).map_err(undecodable)?);
    }
    Ok(pictures)
}
