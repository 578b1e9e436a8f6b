//! `landscope init`: the initial parameters of a network, as a file.

use candle_core::Device;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::base::rng::Streams;
use crate::run::weights_file;

use super::model_files;

pub fn command() -> Command {
    let seed = Arg::new("seed")
        .long("seed")
        .value_name("N")
        .value_parser(value_parser!(u64))
        .default_value("0")
        .help("Of the random streams that the values are drawn from, as in `landscope run --seed`");
    Command::new("init")
        .about("Write the initial parameters of a network into a safetensors file")
        .arg(model_files::model_flag().required(true))
        .arg(seed)
        .arg(model_files::path_flag("out", "The safetensors file to write").required(true))
        .arg(model_files::dtype_flag("f32"))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let model = model_files::model(model_files::path(matches, "model")?)?.build()?;
    let out = model_files::path(matches, "out")?;
    model_files::check_new_file(out, "out")?;
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(0);
    let layout = model.layout();
    let tensors = layout.unflatten(&model.init(&Streams::new(seed)), model_files::dtype(matches), &Device::Cpu)?;
    weights_file::write(out, layout, &tensors)?;
    println!("wrote {}: {}, {} parameters", out.display(), model.title(), layout.total());
    Ok(())
}
