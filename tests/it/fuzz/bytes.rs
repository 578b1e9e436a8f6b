//! Damaged bytes: of recordings and of files of tensors.

use std::fs;
use std::path::{Path, PathBuf};

use landscope::base::rng::Stream;
use landscope::nn::params::{Layout, Role};
use landscope::nn::weights;
use landscope::record::{example, file};
use landscope::run::model_file::ModelFile;
use landscope::tasks::examples::File;
use rand::Rng;

use super::{Case, exercise};

/// A small recording with all kinds of rows, in the pages that a run writes and in small ones, where more of the bytes are
/// structure.
pub fn small_recordings(place: &Path) -> [PathBuf; 2] {
    let paths = [place.join("whole.base"), place.join("whole-small-pages.base")];
    if !paths[1].exists() {
        let mut recording = example::recording(60);
        recording.outcome = Some(landscope::record::Outcome::Finished);
        let hash = "abc".to_owned();
        recording.fingerprints.push(landscope::record::Fingerprint {
            track: landscope::record::TrackId(0),
            step: 50,
            hash,
        });
        paths.iter().for_each(|path| file::save(path, &recording).unwrap());
        let database = rusqlite::Connection::open(&paths[1]).unwrap();
        database.execute_batch("PRAGMA page_size = 1024; VACUUM").unwrap();
    }
    paths
}

/// Changes `bytes` in a few places. `structure` are places where what matters lies more often than elsewhere.
pub fn damage(bytes: &mut Vec<u8>, random: &mut Stream, structure: &[usize]) {
    for _ in 0..random.random_range(1..=12) {
        if bytes.is_empty() {
            return;
        }
        let anywhere = random.random_range(0..bytes.len());
        let at = match structure {
            [] => anywhere,
            _ if random.random_bool(0.5) => {
                (structure[random.random_range(0..structure.len())] + random.random_range(0..24)).min(bytes.len() - 1)
            }
            _ => anywhere,
        };
        let end = (at + random.random_range(1..=64)).min(bytes.len());
        match random.random_range(0..9) {
            0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            3 => bytes[at..end].fill(if random.random_bool(0.5) { 0 } else { 0xff }),
            4 => bytes[at..end].iter_mut().for_each(|byte| *byte = random.random()),
            5 => {
                let from = random.random_range(0..bytes.len());
                let len = (end - at).min(bytes.len() - from);
                let to = at.min(bytes.len() - len);
                bytes.copy_within(from..from + len, to);
            }
            6 if random.random_bool(0.3) => bytes.truncate(at),
            7 if random.random_bool(0.3) => drop(bytes.drain(at..end)),
            8 if random.random_bool(0.3) => {
                let inserted: Vec<u8> = (0..end - at).map(|_| random.random()).collect();
                bytes.splice(at..at, inserted);
            }
            _ => {
                // A whole number in the order of SQLite's pages.
                let word: [u8; 4] =
                    [0, 1, u32::MAX, 0x7fff_ffff, random.random()][random.random_range(0..5)].to_be_bytes();
                bytes.iter_mut().skip(at).zip(word).for_each(|(byte, new)| *byte = new);
            }
        }
    }
}

pub fn recording(case: &mut Case<'_>) {
    let bases = small_recordings(case.place);
    let small = case.random.random_bool(0.7);
    let (base, page) = if small { (&bases[1], 1_024) } else { (&bases[0], 32_768) };
    let mut bytes = fs::read(base).unwrap();
    let structure: Vec<usize> = (0..bytes.len()).step_by(page).collect();
    damage(&mut bytes, &mut case.random, &structure);
    if case.random.random_bool(0.8) && bytes.len() > 100 {
        // Else most cases end at the first look: it stays a recording by its name.
        let whole = fs::read(base).unwrap();
        bytes[..16].copy_from_slice(&whole[..16]);
        bytes[60..72].copy_from_slice(&whole[60..72]);
    }
    let path = case.place.join("case.landscope");
    fs::write(&path, &bytes).unwrap();
    let journal = case.place.join("case.landscope-journal");
    if case.random.random_bool(0.1) {
        let mut bytes: Vec<u8> = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
        bytes.extend((0..case.random.random_range(0..3_000)).map(|_| case.random.random::<u8>()));
        fs::write(&journal, bytes).unwrap();
    } else {
        // Left by the case before.
        let _ = fs::remove_file(&journal);
    }
    exercise::open(case, &path);
}

fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.push("layer 1", "layer 1.weight", &[4, 3], Role::Input);
    layout.push("layer 1", "layer 1.bias", &[3], Role::Bias);
    layout
}

pub fn safetensors(case: &mut Case<'_>) {
    let layout = layout();
    let tensors = layout.unflatten(&[0.5_f64; 15], candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    let weights = weights::to_bytes(&layout, &tensors).unwrap();
    let data = br#"{"x":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"y":{"dtype":"I64","shape":[3],"data_offsets":[24,48]}}"#;
    let mut examples = (data.len() as u64).to_le_bytes().to_vec();
    examples.extend(data);
    examples.resize(examples.len() + 48, 0);
    let is_data = case.random.random_bool(0.5);
    let mut bytes = if is_data { examples } else { weights };
    let header: Vec<usize> = (0..bytes.len().min(8 + data.len())).step_by(7).collect();
    damage(&mut bytes, &mut case.random, &header);
    if case.random.random_bool(0.5) {
        // Numbers of the header that are out of all bounds, its length put right again.
        let len =
            usize::try_from(u64::from_le_bytes(bytes.get(..8).map_or([0; 8], |b| b.try_into().unwrap()))).unwrap_or(0);
        if let Some(text) = bytes.get(8..8usize.saturating_add(len)).map(|b| String::from_utf8_lossy(b).into_owned()) {
            let text = super::texts::damage(&text, &mut case.random);
            let rest = bytes[8 + len..].to_vec();
            bytes = (text.len() as u64).to_le_bytes().to_vec();
            bytes.extend(text.as_bytes());
            bytes.extend(rest);
        }
    }
    let whole = weights::check_whole(&bytes).is_ok();
    weights::metadata(&bytes);
    if weights::from_bytes(&layout, &bytes).is_ok() {
        case.taken();
        assert!(whole);
    }
    let path = Path::new("case.safetensors");
    let model = "[model]\nkind = \"mlp\"\n[input]\nshape = [2]\n[output]\nclasses = 3\n";
    let shapes = ModelFile::from_toml(model, "m").unwrap().shapes();
    if let Ok(file) = File::new(&bytes, path) {
        if file.examples("x", "y", &shapes).is_ok() {
            case.taken();
        }
        if let Ok(suggested) = file.shapes("x", "y") {
            let _ = file.examples("x", "y", &suggested);
        }
    }
}
