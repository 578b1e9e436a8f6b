//! Files of every format the tasks read: written here by hand, read back, every value checked; then damaged at random.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{GrayImage, Luma, Rgb, RgbImage};
use landscope::base::rng::Streams;
use landscope::tasks::data::{Inputs, Split, Targets, Task};
use landscope::tasks::error::TaskError;
use landscope::tasks::load::load;
use landscope::tasks::spec::{TaskKind, TaskSpec};
use rand::Rng;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub fn read(kind: TaskKind, path: &Path) -> Result<Task, TaskError> {
    let spec = TaskSpec { kind, path: Some(path.into()), context: 8, ..TaskSpec::default() };
    load(&spec, &Streams::new(0))
}

/// An IDX file of bytes.
pub fn idx(sizes: &[u32], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(content);
    file
}

pub fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Six training and two test pictures of 2x3 pixels: picture i has the pixels 10 i + 0..6 and the label i % 3.
pub fn write_idx(folder: &Path) {
    for (part, range) in [("train", 0..6_u8), ("t10k", 6..8)] {
        let n = range.len() as u32;
        let pixels: Vec<u8> = range.clone().flat_map(|i| (0..6).map(move |j| 10 * i + j)).collect();
        let labels: Vec<u8> = range.map(|i| i % 3).collect();
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), idx(&[n, 2, 3], &pixels)).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte.gz")), gz(&idx(&[n], &labels))).unwrap();
    }
}

/// Two records a batch.
pub fn write_cifar(folder: &Path) {
    for batch in 1..=6_u8 {
        let name = if batch == 6 { "test_batch.bin".into() } else { format!("data_batch_{batch}.bin") };
        let record = |label: u8| {
            let pixels = (0..3 * 1024_usize).map(move |i| (i / 1024 * 80 + i % 1024 % 37) as u8 + batch);
            std::iter::once(label).chain(pixels)
        };
        fs::write(folder.join(name), record(batch - 1).chain(record(9)).collect::<Vec<u8>>()).unwrap();
    }
}

/// A NumPy array as `numpy.save` writes it.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

pub fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// `x` of ten examples with two features, `y` of two classes.
pub fn small_npz() -> Vec<u8> {
    let x: Vec<f64> = (0..20).map(|i| f64::from(i * i)).collect();
    let y = npy("<i2", false, "(10,)", &[0, 0, 1, 0].repeat(5));
    npz(&[("x", npy("<f8", false, "(10, 2)", &floats(&x))), ("y", y)], CompressionMethod::Deflated)
}

/// Class folders `cat` and `dog` with ten pictures of 4x3 pixels each.
pub fn write_pictures(folder: &Path) {
    for (class, base) in [("cat", 10_u8), ("dog", 100)] {
        fs::create_dir(folder.join(class)).unwrap();
        for i in 0..10_u8 {
            let image = GrayImage::from_fn(4, 3, |x, y| Luma([base + i + (4 * y + x) as u8]));
            image.save(folder.join(class).join(format!("{i}.png"))).unwrap();
        }
    }
}

pub const TABLE: &str = "height,width,kind\n1,10,cat\n2,20,cat\n3,30,cat\n4,40,dog\n5,50,dog\n6,60,dog\n";

fn features(split: &Split) -> (&[f32], &[usize]) {
    let Inputs::Features { values, shape } = &split.inputs else { panic!("features expected") };
    (values, shape)
}

fn labels(split: &Split) -> &[u32] {
    let Targets::Classes { labels, .. } = &split.targets else { panic!("classes expected") };
    labels
}

/// The values that standardising must give, computed the slow way in f64.
#[track_caller]
fn check_standardised(task: &Task, train: &[f64], test: &[f64], channels: usize) {
    for c in 0..channels {
        let of = |values: &[f64]| values.iter().skip(c).step_by(channels).copied().collect::<Vec<_>>();
        let (train, test) = (of(train), of(test));
        let n = train.len() as f64;
        let mean = train.iter().sum::<f64>() / n;
        let deviation = (train.iter().map(|v| v * v).sum::<f64>() / n - mean * mean).sqrt();
        for (raw, split) in [(train, &task.train), (test, &task.test)] {
            let found: Vec<f32> = features(split).0.iter().skip(c).step_by(channels).copied().collect();
            assert_eq!(found.len(), raw.len());
            for (found, raw) in found.iter().zip(raw) {
                assert!((f64::from(*found) - (raw - mean) / deviation).abs() < 1e-4, "{found} of {raw}, channel {c}");
            }
        }
    }
}

#[test]
fn idx_files_give_their_pixels_and_labels() {
    let folder = TempDir::new().unwrap();
    write_idx(folder.path());
    let task = read(TaskKind::Idx, folder.path()).unwrap();
    assert_eq!(features(&task.train).1, [2, 3, 1]);
    assert_eq!((labels(&task.train), labels(&task.test)), (&[0, 1, 2, 0, 1, 2][..], &[0, 1][..]));
    assert_eq!(task.class_names, ["0", "1", "2"]);
    let pixels = |range: std::ops::Range<u32>| -> Vec<f64> {
        range.flat_map(|i| (0..6).map(move |j| f64::from(10 * i + j))).collect()
    };
    check_standardised(&task, &pixels(0..6), &pixels(6..8), 1);
}

#[test]
fn cifar_planes_become_channels() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("cifar-10-batches-bin");
    fs::create_dir(&inner).unwrap();
    write_cifar(&inner);
    let task = read(TaskKind::Cifar10, folder.path()).unwrap();
    assert_eq!(features(&task.train).1, [32, 32, 3]);
    assert_eq!(labels(&task.train), [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]);
    assert_eq!(labels(&task.test), [5, 9]);
    assert_eq!(task.class_names[5], "dog");
    let picture = |batch: usize| {
        (0..1024).flat_map(move |at| (0..3).map(move |c| (c * 80 + at % 37 + batch) as f64)).collect::<Vec<f64>>()
    };
    let train: Vec<f64> = (1..=5).flat_map(|batch| [picture(batch), picture(batch)].concat()).collect();
    check_standardised(&task, &train, &[picture(6), picture(6)].concat(), 3);
}

#[test]
fn class_folders_become_classes_and_one_picture_in_five_is_for_testing() {
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path());
    fs::write(folder.path().join("cat/notes.txt"), "passed over").unwrap();
    fs::write(folder.path().join("cat/.hidden.png"), "passed over").unwrap();
    let task = read(TaskKind::ImageFolder, folder.path()).unwrap();
    assert_eq!(task.class_names, ["cat", "dog"]);
    assert_eq!(features(&task.train).1, [3, 4, 1]);
    assert_eq!((labels(&task.train), labels(&task.test)), (&[[0; 8], [1; 8]].concat()[..], &[0, 0, 1, 1][..]));
    // Pictures differ by steps of one grey level: undo the scale, and each of the twenty appears once.
    let (values, _) = features(&task.train);
    let step = values[1] - values[0];
    let all = features(&task.train).0.chunks_exact(12).chain(features(&task.test).0.chunks_exact(12));
    let mut firsts: Vec<i32> = all
        .map(|picture| {
            assert!(picture.windows(2).all(|w| (w[1] - w[0] - step).abs() < 1e-4));
            ((picture[0] - values[0]) / step).round() as i32
        })
        .collect();
    firsts.sort_unstable();
    let smallest = firsts[0];
    assert_eq!(firsts.iter().map(|f| f - smallest).collect::<Vec<_>>(), (0..10).chain(90..100).collect::<Vec<_>>());
}

#[test]
fn divided_colour_pictures_keep_their_division_and_colours() {
    let folder = TempDir::new().unwrap();
    for (part, value) in [("train", 0_u8), ("test", 50)] {
        for (class, red) in [("2", 0_u8), ("10", 200)] {
            let class = folder.path().join(part).join(class);
            fs::create_dir_all(&class).unwrap();
            let image = RgbImage::from_fn(2, 1, |x, _| Rgb([red, value, 7 * x as u8]));
            image.save(class.join("a.PNG")).unwrap();
        }
    }
    let task = read(TaskKind::ImageFolder, folder.path()).unwrap();
    assert_eq!(task.class_names, ["2", "10"], "numbers in numerical order");
    assert_eq!(
        features(&task.train),
        (&[-1.0, 0.0, -1.0, -1.0, 0.0, 1.0, 1.0, 0.0, -1.0, 1.0, 0.0, 1.0][..], &[1, 2, 3][..])
    );
    // Green is constant in training: only centred.
    assert_eq!(features(&task.test).0[..3], [-1.0, 50.0, -1.0]);
}

#[test]
fn tables_give_standardised_features_and_named_classes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("animals.csv");
    fs::write(&path, format!("\u{feff}{}", TABLE.replace('\n', "\r\n"))).unwrap();
    let task = read(TaskKind::Csv, &path).unwrap();
    assert_eq!((task.title.as_str(), &task.class_names[..]), ("animals.csv", &["cat".into(), "dog".into()][..]));
    assert_eq!((labels(&task.train), labels(&task.test)), (&[0, 0, 1, 1][..], &[0, 1][..]));
    // Both columns are proportional, so both standardise to the same numbers.
    for split in [&task.train, &task.test] {
        assert!(features(split).0.chunks_exact(2).all(|row| (row[0] - row[1]).abs() < 1e-6));
    }
    let (values, _) = features(&task.train);
    let column: Vec<f32> = values.iter().step_by(2).copied().collect();
    assert!(column.iter().sum::<f32>().abs() < 1e-5 && (column.iter().map(|v| v * v).sum::<f32>() - 4.0).abs() < 1e-4);
    assert!(column.windows(2).all(|w| w[0] < w[1]), "rows keep their order");
}

#[test]
fn archives_of_every_layout_and_type_give_the_same_task() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.npz");
    let x: Vec<i32> = vec![1, 2, 3, 4, 5, 7];
    let transposed = [1, 3, 5, 2, 4, 7];
    let bytes = |f: &dyn Fn(i32) -> Vec<u8>, x: &[i32]| x.iter().flat_map(|&v| f(v)).collect::<Vec<u8>>();
    let y = npy("|b1", false, "(3,)", &[1, 0, 1]);
    let variants: Vec<Vec<u8>> = vec![
        npy("<f8", false, "(3, 2)", &bytes(&|v| f64::from(v).to_le_bytes().to_vec(), &x)),
        npy(">f4", false, "(3, 2)", &bytes(&|v| (v as f32).to_be_bytes().to_vec(), &x)),
        npy("<i8", true, "(3, 2)", &bytes(&|v| i64::from(v).to_le_bytes().to_vec(), &transposed)),
        npy(">u2", false, "(3, 2)", &bytes(&|v| (v as u16).to_be_bytes().to_vec(), &x)),
        npy("|u1", true, "(3, 2)", &bytes(&|v| vec![v as u8], &transposed)),
        npy("|i1", false, "(3, 2)", &bytes(&|v| vec![v as u8], &x)),
    ];
    for (i, variant) in variants.into_iter().enumerate() {
        let method = if i % 2 == 0 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let test = [
            ("x_test", npy("<f8", false, "(1, 2)", &floats(&[3.0, 9.0]))),
            ("y_test", npy("<i4", false, "(1,)", &[0; 4])),
        ];
        fs::write(&path, npz(&[&[("x", variant), ("y", y.clone())][..], &test].concat(), method)).unwrap();
        let task = read(TaskKind::Npz, &path).unwrap();
        assert_eq!((labels(&task.train), labels(&task.test)), (&[1, 0, 1][..], &[0][..]));
        check_standardised(&task, &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], &[3.0, 9.0], 2);
    }
}

#[test]
fn float_targets_are_a_regression_with_standardised_outputs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.npz");
    let x = npy("<f8", false, "(10, 1)", &floats(&(0..10).map(f64::from).collect::<Vec<_>>()));
    let y: Vec<f64> = (0..10).flat_map(|i| [f64::from(i), -100.0 * f64::from(i)]).collect();
    fs::write(&path, npz(&[("x", x), ("y", npy("<f8", false, "(10, 2)", &floats(&y)))], CompressionMethod::Stored))
        .unwrap();
    let task = read(TaskKind::Npz, &path).unwrap();
    assert_eq!((task.train.len(), task.test.len()), (8, 2));
    for split in [&task.train, &task.test] {
        let Targets::Values { values, outputs: 2 } = &split.targets else { panic!("two outputs") };
        // Both outputs are linear in x, so all three standardise to the same numbers up to sign.
        for (x, y) in features(split).0.iter().zip(values.chunks_exact(2)) {
            assert!((x - y[0]).abs() < 1e-5 && (x + y[1]).abs() < 1e-5, "{x} {y:?}");
        }
    }
}

#[test]
fn text_files_are_characters() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("poem.txt");
    fs::write(&path, "\u{feff}Ärger – ja\r\n".repeat(30)).unwrap();
    let task = read(TaskKind::Text, &path).unwrap();
    // The byte-order marks within are characters; only the first is dropped, and carriage returns vanish.
    assert_eq!(task.class_names.len(), 10);
    assert!(!task.class_names.contains(&"\\r".to_owned()));
    let Inputs::Tokens { ids, .. } = &task.train.inputs else { panic!("tokens") };
    let start: String = ids[..8].iter().map(|&id| task.class_names[id as usize].as_str()).collect();
    assert_eq!(start, "Ärger␣–␣");
}

/// Every truncation length drawn and every byte flipped gives a task or an error, never a panic or an abort.
#[test]
fn random_damage_never_panics() {
    type Write = fn(&Path);
    let single = |kind, name: &'static str, content: Vec<u8>| (kind, name, content);
    let singles = [
        single(TaskKind::Csv, "table.csv", TABLE.into()),
        single(TaskKind::Text, "text.txt", "the quick brown fox – ".repeat(20).into()),
        single(TaskKind::Npz, "data.npz", small_npz()),
    ];
    let folders: [(TaskKind, Write); 3] =
        [(TaskKind::Idx, write_idx), (TaskKind::Cifar10, write_cifar), (TaskKind::ImageFolder, write_pictures)];
    let mut stream = Streams::new(0).stream("damage");
    let mut failures = 0;
    let mut damage = |kind: TaskKind, root: &Path, file: &Path, rounds: usize| {
        let whole = fs::read(file).unwrap();
        for round in 0..rounds {
            let mut content = whole.clone();
            if round % 3 == 0 {
                content.truncate(stream.random_range(0..whole.len()));
            } else {
                for _ in 0..stream.random_range(1..4) {
                    // Headers are where the harm is done.
                    let end = if round % 2 == 0 { whole.len() } else { whole.len().min(64) };
                    content[stream.random_range(0..end)] = stream.random();
                }
            }
            fs::write(file, &content).unwrap();
            if let Err(error) = read(kind, root) {
                failures += 1;
                let message = error.to_string();
                assert!(!message.contains('\n') && message.len() > 20, "{message}");
            }
        }
        fs::write(file, whole).unwrap();
        read(kind, root).unwrap();
    };
    for (kind, name, content) in singles {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        damage(kind, &path, &path, 300);
    }
    for (kind, write) in folders {
        let folder = TempDir::new().unwrap();
        write(folder.path());
        let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
        if kind == TaskKind::ImageFolder {
            files = vec![folder.path().join("cat/0.png"), folder.path().join("dog/5.png")];
        }
        files.sort();
        for file in files {
            damage(kind, folder.path(), &file, if kind == TaskKind::Cifar10 { 4 } else { 60 });
        }
    }
    assert!(failures > 300, "only {failures} of the damaged files were noticed");
}
