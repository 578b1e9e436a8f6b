//! Files and flags that `init`, `measure` and `train` share.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use candle_core::DType;
use clap::{Arg, ArgMatches, value_parser};

use crate::run::model_file::ModelFile;
use crate::run::spec::DeviceChoice;
use crate::tasks::examples::{Examples, File};
use crate::tasks::shapes::Shapes;

/// `--id FILE`
pub fn path_flag(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

pub fn model_flag() -> Arg {
    path_flag("model", "The network, its loss and its shapes (docs/MEASURE.md says how)")
}

/// `--device`
pub fn device_flag() -> Arg {
    Arg::new("device")
        .long("device")
        .value_name("DEVICE")
        .value_parser(["auto", "cpu", "cuda", "metal"])
        .default_value("cpu")
        .help("Where to compute")
}

/// `--dtype`, with this default.
pub fn dtype_flag(default: &'static str) -> Arg {
    Arg::new("dtype")
        .long("dtype")
        .value_name("TYPE")
        .value_parser(["f64", "f32"])
        .default_value(default)
        .help("Floating-point type")
}

pub fn dtype(matches: &ArgMatches) -> DType {
    if matches.get_one::<String>("dtype").is_some_and(|name| name == "f32") { DType::F32 } else { DType::F64 }
}

pub fn device(matches: &ArgMatches) -> DeviceChoice {
    match matches.get_one::<String>("device").map(String::as_str) {
        Some("cpu") => DeviceChoice::Cpu,
        Some("cuda") => DeviceChoice::Cuda,
        Some("metal") => DeviceChoice::Metal,
        _ => DeviceChoice::Auto,
    }
}

/// `--save-weights FILE`
pub fn save_weights_flag() -> Arg {
    path_flag("save-weights", "Write the parameters after the last step into this new safetensors file, as F32")
}

/// Where `--save-weights` wants the parameters, if it is there.
///
/// # Errors
/// As [`check_new_file`].
pub fn save_weights(matches: &ArgMatches) -> anyhow::Result<Option<&Path>> {
    let path = matches.get_one::<PathBuf>("save-weights");
    path.map_or(Ok(()), |path| check_new_file(path, "save-weights"))?;
    Ok(path.map(PathBuf::as_path))
}

/// The path that a flag gives.
///
/// # Errors
/// Names the flag if it wasn't given.
pub fn path<'a>(matches: &'a ArgMatches, id: &str) -> anyhow::Result<&'a PathBuf> {
    matches.get_one::<PathBuf>(id).with_context(|| format!("--{id} is missing; give --{id} FILE"))
}

/// # Errors
/// Names the file, the line and what is wrong.
pub fn model(path: &Path) -> anyhow::Result<ModelFile> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("can't read the model {path:?}; give the path of a TOML file as docs/MEASURE.md says")
    })?;
    Ok(ModelFile::from_toml(&text, &path.display().to_string())?)
}

/// The tensors `x` and `y` of a file.
///
/// # Errors
/// Names the file, the tensor and what was expected.
pub fn examples(path: &Path, shapes: &Shapes) -> anyhow::Result<Examples> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("can't read the data {path:?}; give a safetensors file with the tensors x and y"))?;
    Ok(File::new(&bytes, path)?.examples("x", "y", shapes)?)
}

/// Refuses a place that can't be written before time is spent, and a file that is there already.
///
/// # Errors
/// Names the path and what to do.
pub fn check_new_file(path: &Path, flag: &str) -> anyhow::Result<()> {
    if path.exists() {
        bail!("{path:?} exists already; give --{flag} another name, or move the old file away");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("can't write {path:?}: the folder {folder:?} doesn't exist; make it, or give --{flag} another place");
    }
    Ok(())
}
