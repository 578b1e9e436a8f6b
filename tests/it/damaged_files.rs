//! What the user is told about files that can't be learnt from: each message names the file and what is wrong with it.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use landscope::base::rng::Streams;
use landscope::tasks::load::load;
use landscope::tasks::spec::{TaskKind, TaskSpec};
use tempfile::TempDir;
use zip::CompressionMethod::{Deflated, Stored};

use crate::data_files::{floats, gz, idx, npy, npz, read, small_npz, write_cifar, write_idx, write_pictures};

/// `read` must fail with one line that names `path` and holds all `needles`.
#[track_caller]
fn check(kind: TaskKind, root: &Path, path: &Path, needles: &[&str]) {
    let Err(error) = read(kind, root) else { panic!("{path:?} was read") };
    let message = error.to_string();
    let named = path.file_name().unwrap().to_str().unwrap();
    for needle in needles.iter().chain([&named]) {
        assert!(message.contains(needle), "{needle:?} is missing in: {message}");
    }
    assert!(!message.contains('\n'), "{message}");
    // What is wrong, and after a colon, a semicolon or in brackets what to do or what it belongs to.
    assert!(message.contains([';', ':', ',']), "{message}");
}

/// Writes `content` into a file called `name`, alone in its folder, and checks the message.
#[track_caller]
fn check_file(kind: TaskKind, name: &str, content: impl AsRef<[u8]>, needles: &[&str]) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    check(kind, &path, &path, needles);
}

/// A good set of IDX files in which the file `name` is replaced (and its other form removed).
#[track_caller]
fn check_idx(name: &str, content: impl AsRef<[u8]>, needles: &[&str]) {
    let folder = TempDir::new().unwrap();
    write_idx(folder.path());
    let bare = name.trim_end_matches(".gz");
    for form in [bare.to_owned(), format!("{bare}.gz")] {
        let _ = fs::remove_file(folder.path().join(form));
    }
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    check(TaskKind::Idx, folder.path(), &path, needles);
}

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

#[test]
fn paths_that_lead_nowhere() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for kind in [TaskKind::Idx, TaskKind::Cifar10, TaskKind::ImageFolder] {
        check(kind, &file, &file, &["is a file", "give the folder"]);
        check(kind, &folder.path().join("nowhere"), Path::new("nowhere"), &["doesn't exist"]);
    }
    for kind in [TaskKind::Csv, TaskKind::Text, TaskKind::Npz] {
        check(kind, folder.path(), folder.path(), &["is a folder", "a file was expected"]);
        check(kind, &folder.path().join("nowhere"), Path::new("nowhere"), &["doesn't exist"]);
    }
}

#[test]
fn idx_files_that_are_missing_or_of_the_wrong_kind() {
    let folder = TempDir::new().unwrap();
    let looked_for = ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte"];
    check(TaskKind::Idx, folder.path(), folder.path(), &looked_for);
    check_idx(IMAGES, "", &["is empty"]);
    check_idx(IMAGES, idx(&[6], &[0; 6]), &["0x00000801", "0x00000803"]);
    check_idx(LABELS, "\u{1f980} not IDX at all", &["0xf09fa680", "0x00000801"]);
    check_idx(&format!("{IMAGES}.gz"), idx(&[6, 2, 3], &[0; 36]), &["gzip"]);
}

#[test]
fn idx_files_of_the_wrong_size() {
    check_idx(IMAGES, [0, 0, 8, 3, 0, 0], &["6 bytes", "at least 16", "header"]);
    check_idx(IMAGES, idx(&[6, 2, 3], &[0; 35]), &["35 bytes", "36 were expected", "6x2x3"]);
    check_idx(IMAGES, idx(&[6, 2, 3], &[0; 40]), &["only 36", "6x2x3"]);
    check_idx(IMAGES, idx(&[u32::MAX, 28, 28], &[0; 36]), &["claims 4294967295x28x28", "MiB", "damage"]);
    check_idx(IMAGES, idx(&[u32::MAX; 3], &[0; 36]), &["MiB"]);
    check_idx(IMAGES, idx(&[6, 0, 3], &[]), &["0x3", "at least 1x1"]);
    let whole = gz(&idx(&[6, 2, 3], &(0..36).collect::<Vec<u8>>()));
    check_idx(&format!("{IMAGES}.gz"), &whole[..whole.len() - 12], &["gzip"]);
}

#[test]
fn idx_labels_that_dont_fit() {
    check_idx(LABELS, idx(&[5], &[0, 1, 2, 0, 1]), &["5 labels", "6 examples", IMAGES]);
    check_idx(LABELS, idx(&[6], &[0, 1, 2, 0, 255, 1]), &["example 4", "255", "0 to 3"]);
    check_idx(LABELS, idx(&[6], &[7; 6]), &["only the label 7", "at least two"]);
    check_idx("t10k-labels-idx1-ubyte", idx(&[2], &[1, 3]), &["example 1", "label 3", "0 to 2"]);
    check_idx("t10k-images-idx3-ubyte", idx(&[2, 3, 2], &[0; 12]), &["3x2", "2x3", "training"]);
    check_idx("t10k-images-idx3-ubyte", idx(&[0, 2, 3], &[]), &["2 labels", "0 examples"]);
}

#[test]
fn cifar_batches() {
    let check_batch = |name: &str, content: &[u8], needles: &[&str]| {
        let folder = TempDir::new().unwrap();
        write_cifar(folder.path());
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        check(TaskKind::Cifar10, folder.path(), &path, needles);
    };
    check_batch("data_batch_3.bin", &[], &["is empty", "3,073"]);
    check_batch("data_batch_3.bin", &[0; 3_072], &["3072 bytes", "a multiple of 3073"]);
    let mut records = vec![1; 2 * 3_073];
    records[3_073] = 10;
    check_batch("test_batch.bin", &records, &["record 1", "label 10", "0 to 9"]);
    let folder = TempDir::new().unwrap();
    write_cifar(folder.path());
    fs::remove_file(folder.path().join("data_batch_5.bin")).unwrap();
    check(TaskKind::Cifar10, folder.path(), folder.path(), &["looked for data_batch_5.bin"]);
}

#[test]
fn picture_folders() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    check(TaskKind::ImageFolder, root, root, &["no subfolders", "one folder a class"]);
    fs::create_dir(root.join("cat")).unwrap();
    check(TaskKind::ImageFolder, root, root, &["only the class folder \"cat\""]);
    fs::create_dir(root.join("dog")).unwrap();
    fs::write(root.join("cat/readme.txt"), "no picture").unwrap();
    check(TaskKind::ImageFolder, root, Path::new("cat"), &["no PNG picture"]);
    for class in ["cat", "dog"] {
        GrayImage::from_pixel(2, 2, Luma([0])).save(root.join(class).join("a.png")).unwrap();
    }
    check(TaskKind::ImageFolder, root, root, &["2 examples", "at least 3"]);
    // Divided folders whose classes differ.
    let folder = TempDir::new().unwrap();
    for path in ["train/cat", "train/dog", "test/cat", "test/dog", "test/cow"] {
        fs::create_dir_all(folder.path().join(path)).unwrap();
        GrayImage::from_pixel(2, 2, Luma([0])).save(folder.path().join(path).join("a.png")).unwrap();
    }
    check(TaskKind::ImageFolder, folder.path(), Path::new("train"), &["cow"]);
    fs::remove_dir_all(folder.path().join("test/dog")).unwrap();
    check(TaskKind::ImageFolder, folder.path(), Path::new("test"), &["dog"]);
}

/// A PNG whose header (with its right checksum) claims a size and whose pixels are missing.
fn header_only(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(content);
        [&(content.len() as u32).to_be_bytes()[..], name, content, &crc.sum().to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[]), chunk(b"IEND", &[])].concat()
}

#[test]
fn pictures() {
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path());
    let first = folder.path().join("cat/0.png");
    let whole = fs::read(&first).unwrap();
    let check_content = |path: &Path, content: &[u8], needles: &[&str]| {
        fs::write(path, content).unwrap();
        check(TaskKind::ImageFolder, folder.path(), path, needles);
        fs::write(path, &whole).unwrap();
    };
    check_content(&first, b"", &["is empty", "PNG"]);
    check_content(&first, b"not a picture at all", &["can't be decoded as PNG"]);
    check_content(&first, &whole[..whole.len() / 2], &["can't be decoded as PNG"]);
    check_content(&first, &header_only(100_000, 100_000), &["100000x100000", "MiB", "smaller pictures"]);
    // Of another size than the first: the folder's second class is where the eye wouldn't look.
    let other = folder.path().join("dog/7.png");
    GrayImage::from_pixel(5, 3, Luma([0])).save(&other).unwrap();
    check(TaskKind::ImageFolder, folder.path(), &other, &["5x3", "4x3", "one size"]);
}

#[test]
fn tables() {
    let csv = |content: &str, needles: &[&str]| check_file(TaskKind::Csv, "table.csv", content, needles);
    csv("", &["is empty"]);
    csv(" \n\n", &["column"]);
    csv("a,b,class\n", &["no example"]);
    csv("a\n1\n2\n", &["1 column"]);
    csv("1,2,cat\n3,4,dog\n5,6\n", &["line 3", "2 columns", "expected 3"]);
    csv("1,2,cat\n3,4,dog\n5,6,7,cow\n", &["line 3", "4 columns", "expected 3"]);
    csv("1,2,cat\n3,four,dog\n", &["line 2", "column 2", "\"four\""]);
    csv("1,2,cat\n3,,dog\n", &["line 2", "column 2", "\"\""]);
    csv("1,2,cat\n3,NaN,dog\n", &["line 2", "column 2", "NaN", "finite"]);
    csv("1,2,cat\n1e300,4,dog\n", &["line 2", "column 1", "1e300", "finite"]);
    csv("1,2,cat\n3,4,cat\n", &["only the label \"cat\""]);
    csv("1,2,0.5\n3,4,1\n", &["line 1", "label 0.5", "whole numbers"]);
    csv("1,2,0\n3,4,1\n", &["2 examples", "at least 3"]);
    let unique: String = (0..50).map(|i| format!("{i},1,{}\n", i * 7)).collect();
    csv(&unique, &["50 different labels among 50 examples", "last column"]);
    check_file(TaskKind::Csv, "table.csv", b"1,2,caf\xe9\n", &["UTF-8", "byte 7"]);
}

#[test]
fn texts() {
    let text = |content: &[u8], needles: &[&str]| check_file(TaskKind::Text, "text.txt", content, needles);
    text(b"", &["is empty"]);
    text("Zu kurz für alles".as_bytes(), &["17 characters", "at least 180", "context of 8", "longer text"]);
    text(&b"latin-1 caf\xe9 ".repeat(50), &["UTF-8", "byte 11"]);
    text(&b"a".repeat(1_000), &["one character only", "two classes"]);
    for context in [0, 3, 513] {
        let spec = TaskSpec { kind: TaskKind::Copy, context, ..TaskSpec::default() };
        let message = load(&spec, &Streams::new(0)).unwrap_err().to_string();
        assert!(message.contains("4 to 512") && message.contains("--context"), "{message}");
    }
}

#[test]
fn archives() {
    let archive = |content: Vec<u8>, needles: &[&str]| check_file(TaskKind::Npz, "data.npz", content, needles);
    let whole = small_npz();
    archive(Vec::new(), &["is empty"]);
    archive(b"not a zip".repeat(9), &["isn't a whole .npz archive", "numpy.savez"]);
    archive(whole[..whole.len() - 30].to_vec(), &["isn't a whole .npz archive"]);
    let x = || ("x", npy("<f8", false, "(4, 1)", &floats(&[1.0, 2.0, 3.0, 4.0])));
    let y = |labels: [u8; 4]| ("y", npy("|u1", false, "(4,)", &labels));
    let fails = |arrays: &[(&str, Vec<u8>)], needles: &[&str]| {
        for method in [Stored, Deflated] {
            archive(npz(arrays, method), needles);
        }
    };
    fails(&[], &["no array \"x\"", "it has none"]);
    fails(&[x()], &["no array \"y\"", "it has x"]);
    fails(&[x(), ("y", npy("|u1", false, "(3,)", &[0, 1, 0]))], &["3 labels", "4 examples"]);
    fails(&[x(), ("y", npy("|i1", false, "(4,)", &[0, 1, 255, 0]))], &["example 2", "label -1"]);
    fails(&[x(), y([0, 1, 200, 0])], &["example 2", "label 200", "0 to 2"]);
    fails(&[x(), y([1; 4])], &["only the label 1"]);
    fails(
        &[x(), ("y", npy("<f8", false, "(4,)", &floats(&[0.0, f64::NAN, 0.0, 0.0])))],
        &["\"y\"", "element 1", "NaN"],
    );
    let infinite = npy("<f8", false, "(4, 1)", &floats(&[1.0, 2.0, 3.0, f64::INFINITY]));
    fails(&[("x", infinite), y([0, 1, 0, 1])], &["\"x\"", "element 3", "inf"]);
    fails(&[("x", npy("<c16", false, "(4, 1)", &[0; 64])), y([0, 1, 0, 1])], &["\"x\"", "<c16", "float32"]);
    fails(&[("x", npy("|O", false, "(4, 1)", &[0; 64])), y([0, 1, 0, 1])], &["\"x\"", "|O"]);
    fails(&[("x", npy("<f8", false, "(4, 1, 1, 1, 1)", &[0; 32])), y([0, 1, 0, 1])], &["[4, 1, 1, 1, 1]", "[N, D]"]);
    fails(&[("x", npy("<f8", false, "(0, 3)", &[])), y([0, 1, 0, 1])], &["[0, 3]", "at least one example"]);
    fails(&[x(), ("y", npy("|u1", false, "(4, 3)", &[0; 12]))], &["[4, 3]", "[N] labels"]);
}

#[test]
fn archives_whose_headers_lie() {
    let y = ("y", npy("|u1", false, "(4,)", &[0, 1, 0, 1]));
    let fails = |x: Vec<u8>, needles: &[&str]| {
        check_file(TaskKind::Npz, "data.npz", npz(&[("x", x), y.clone()], Stored), needles);
    };
    fails(npy("<f8", false, "(4, 2)", &[0; 32]), &["64 were expected", "[4, 2]"]);
    fails(npy("<f8", false, "(4, 1000000000000)", &[0; 32]), &["MiB"]);
    fails(npy("<f8", false, "(4294967296, 4294967296, 4294967296)", &[0; 32]), &["beyond any memory"]);
    fails(npy("<f8", false, "(99999999999999999999999,)", &[0; 32]), &["beyond any memory"]);
    fails(npy("<f8", false, "(-4, 1)", &[0; 32]), &["header"]);
    fails(npy("<f8", false, &"(".repeat(5_000), &[0; 32]), &["nests too deeply"]);
    fails(npy("<f8", false, "(4, ", &[0; 32]), &["header"]);
    fails(b"\x93NUMPY\x03\x00\xff\xff\xff\xff".to_vec(), &["header of 4294967295 bytes"]);
    fails(b"\x93NUM".to_vec(), &["shorter than a header"]);
    fails([b'?'; 100].to_vec(), &["NumPy"]);
}

#[test]
fn test_arrays_that_dont_fit_the_training_arrays() {
    let column = |values: &[f64]| npy("<f8", false, &format!("({}, 1)", values.len()), &floats(values));
    let (x, y) = (column(&[1.0, 2.0, 3.0, 4.0]), npy("|u1", false, "(4,)", &[0, 1, 0, 1]));
    let fails = |x_test: Option<Vec<u8>>, y_test: Option<Vec<u8>>, needles: &[&str]| {
        let mut arrays = vec![("x", x.clone()), ("y", y.clone())];
        arrays.extend(x_test.map(|x_test| ("x_test", x_test)));
        arrays.extend(y_test.map(|y_test| ("y_test", y_test)));
        check_file(TaskKind::Npz, "data.npz", npz(&arrays, Stored), needles);
    };
    let label = |label: u8| Some(npy("|u1", false, "(1,)", &[label]));
    fails(Some(column(&[1.0])), None, &["no array \"y_test\""]);
    fails(None, label(0), &["no array \"x_test\""]);
    fails(Some(column(&[1.0])), label(2), &["label 2", "0 to 1"]);
    fails(Some(npy("<f8", false, "(1, 2)", &floats(&[1.0, 2.0]))), label(0), &["x_test", "as in \"x\""]);
    fails(Some(column(&[1.0])), Some(column(&[0.5])), &["y_test", "another sort"]);
}
