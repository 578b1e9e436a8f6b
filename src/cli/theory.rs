//! `landscope theory`: what a lab's paper predicts, as plain numbers for any knobs and inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::labs::table::{Array, Inputs, Table};
use crate::tasks::arrays;

use super::lab_run;

pub fn command() -> Command {
    let command = Command::new("theory")
        .about("Print what a lab's paper predicts, for any knobs and inputs, as tables or JSON")
        .subcommand_required(true)
        .subcommand_value_name("LAB");
    lab_run::add_labs(command, |lab| {
        let inputs = Arg::new("inputs")
            .long("inputs")
            .value_name("FILE")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .help("Matrices by name: TOML (name = [[1.0, 0.2], [0.2, 1.0]]) or safetensors");
        let json = Arg::new("json")
            .long("json")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Write one JSON object; `-` writes it on standard output. Without it, CSV is printed");
        lab.arg(inputs).arg(json)
    })
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let Some((lab, values, flags)) = lab_run::chosen(matches)? else { bail!("give the name of a lab") };
    let mut inputs = Inputs::default();
    for path in flags.get_many::<PathBuf>("inputs").into_iter().flatten() {
        inputs.0.extend(read(path)?);
    }
    let tables = lab.theory(&values, &inputs).map_err(|message| anyhow!("{message}"))?;
    let Some(path) = flags.get_one::<PathBuf>("json") else {
        for table in &tables {
            print!("{}", csv(table));
        }
        return Ok(());
    };
    let knobs: Map<_, _> = values.texts().into_iter().map(|(id, text)| (id, json!(text))).collect();
    let tables: Map<_, _> = tables.iter().map(|table| (table.name.clone(), as_json(table))).collect();
    let object = json!({"lab": lab.id(), "seed": values.seed, "knobs": knobs, "tables": tables});
    if path.as_os_str() == "-" {
        println!("{object:#}");
        return Ok(());
    }
    let text = format!("{object:#}\n");
    std::fs::write(path, text).with_context(|| format!("can't write {}; give --json a file", path.display()))
}

fn csv(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut text = format!("# {}: {}\n{}\n", table.name, table.about, names.join(","));
    for row in 0..table.columns.first().map_or(0, |(_, values)| values.len()) {
        let cells: Vec<_> = table.columns.iter().map(|(_, values)| values[row].to_string()).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text + "\n"
}

fn as_json(table: &Table) -> Value {
    let columns: Map<_, _> = table.columns.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
    json!({"about": table.about, "columns": columns})
}

fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Array>> {
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let advice = || {
        format!(
            "can't read matrices from {}; give a .toml file (name = [[1.0, 0.2], [0.2, 1.0]]) or a .safetensors file",
            path.display()
        )
    };
    if is_toml {
        let text = std::fs::read_to_string(path).with_context(advice)?;
        let rows: BTreeMap<String, Vec<Vec<f64>>> =
            toml::from_str(&text).map_err(|error| anyhow!("{}", error.message())).with_context(advice)?;
        return rows.into_iter().map(|(name, rows)| Ok((name.clone(), array(&name, rows)?))).collect();
    }
    let arrays = arrays::safetensors(path).with_context(advice)?;
    arrays
        .into_iter()
        .map(|arrays::Array { name, shape, values }| {
            let (rows, columns) = match shape.as_slice() {
                [n] => (*n, 1),
                [rows, columns] => (*rows, *columns),
                other => bail!("tensor {name:?} of {} has shape {other:?}; give one or two axes", path.display()),
            };
            Ok((name, Array { rows, columns, values }))
        })
        .collect()
}

fn array(name: &str, rows: Vec<Vec<f64>>) -> anyhow::Result<Array> {
    let columns = rows.first().map_or(0, Vec::len);
    if columns == 0 || rows.iter().any(|row| row.len() != columns) {
        bail!(
            "matrix {name:?} isn't a rectangle of numbers; give rows of one length, such as [[1.0, 0.2], [0.2, 1.0]]"
        );
    }
    Ok(Array { rows: rows.len(), columns, values: rows.concat() })
}
