//! CSV with a label column.

use std::collections::BTreeMap;
use std::path::Path;

use super::{divided, name, reading};
use crate::base::rng::Streams;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;
use crate::tasks::{budget, standardise};

/// More different labels than this are classes only if there are at most half as many as examples.
const MANY_CLASSES: usize = 20;

/// A CSV file in UTF-8, separated by commas, semicolons or tabs, with one example a line: numbers, and in the last column the
/// label, a word or a whole number. The first line may name the columns. Every feature is standardised by the training
/// examples; classes are in the order of their numbers or of the alphabet; a fifth of each class is for testing.
///
/// # Errors
/// [`TaskError`], with the line, for anything that isn't such a table.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let path = reading::file(spec, "a CSV file")?;
    let bytes = reading::bytes(path, "a CSV table")?;
    budget::check(|| format!("The table {path:?}"), &[bytes.len(), 2], "give a smaller table")?;
    let text = String::from_utf8(bytes)
        .map_err(|error| TaskError::NotUtf8 { path: path.into(), at: error.utf8_error().valid_up_to() })?;
    let table = parse(text.trim_start_matches('\u{feff}'), path)?;
    let (labels, class_names) = classes(&table, path)?;
    let all = Split {
        inputs: Inputs::Features { values: table.values, shape: vec![table.features] },
        targets: Targets::Classes { labels, classes: class_names.len() },
    };
    let (mut train, mut test) = divided(&all, path)?;
    standardise::inputs(&mut train, &mut test, table.features);
    Ok(Task { title: name(path), train, test, class_names, source: format!("Your table {path:?}") })
}

struct Table {
    features: usize,
    /// `[N, features]`.
    values: Vec<f32>,
    /// The last column with its line.
    labels: Vec<(String, u64)>,
}

fn parse(text: &str, path: &Path) -> Result<Table, TaskError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator(text))
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        let record =
            record.map_err(|error| TaskError::BadCsv { path: path.into(), message: reading::one_line(error) })?;
        let line = record.position().map_or(0, csv::Position::line);
        records.push((record, line));
    }
    let Some((first, _)) = records.first() else {
        return Err(TaskError::Empty { path: path.into(), expected: "a CSV table" });
    };
    let columns = first.len();
    if columns < 2 {
        return Err(TaskError::WrongShape {
            path: path.into(),
            found: "1 column".into(),
            expected: "one or more columns of numbers and the label column".into(),
        });
    }
    let skip = usize::from(names_columns(&records));
    let mut table = Table { features: columns - 1, values: Vec::new(), labels: Vec::new() };
    for (record, line) in &records[skip..] {
        if record.len() != columns {
            return Err(TaskError::RaggedRow {
                path: path.into(),
                line: *line,
                found: record.len(),
                expected: columns,
            });
        }
        for (column, field) in record.iter().take(columns - 1).enumerate() {
            table.values.push(number(field, path, *line, column + 1)?);
        }
        let label = &record[columns - 1];
        table.labels.push((label.to_owned(), *line));
    }
    Ok(table)
}

/// The one of comma, semicolon and tab that the first line has most of.
fn separator(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or("").as_bytes();
    let count = |separator: u8| line.iter().filter(|&&byte| byte == separator).count();
    [b';', b'\t'].into_iter().fold(b',', |best, other| if count(other) > count(best) { other } else { best })
}

/// Whether the first line names the columns: a feature isn't a number there, or its label alone isn't one.
fn names_columns(records: &[(csv::StringRecord, u64)]) -> bool {
    let numeric = |field: &str| field.parse::<f64>().is_ok();
    let Some(((first, _), rest)) = records.split_first() else { return false };
    let last = first.len() - 1;
    first.iter().take(last).any(|field| !field.is_empty() && !numeric(field))
        || (!numeric(&first[last]) && !rest.is_empty() && rest.iter().all(|(r, _)| r.get(last).is_some_and(numeric)))
}

fn number(field: &str, path: &Path, line: u64, column: usize) -> Result<f32, TaskError> {
    let value: f64 = field.parse().map_err(|_| TaskError::NotANumber {
        path: path.into(),
        line,
        column,
        value: field.to_owned(),
    })?;
    // Beyond f32's range the number becomes infinite.
    if (value as f32).is_finite() {
        return Ok(value as f32);
    }
    Err(TaskError::NonFinite {
        path: path.into(),
        place: format!("line {line}, column {column}"),
        value: field.to_owned(),
    })
}

/// Labels as indices into the classes' names.
fn classes(table: &Table, path: &Path) -> Result<(Vec<u32>, Vec<String>), TaskError> {
    let numbers: Option<Vec<f64>> = table.labels.iter().map(|(label, _)| label.parse().ok()).collect();
    let (labels, names) = match numbers {
        Some(numbers) => {
            let mut whole = Vec::with_capacity(numbers.len());
            for (&value, (label, line)) in numbers.iter().zip(&table.labels) {
                // Up to 2^53 a whole f64 is one integer.
                if value.fract() != 0.0 || value.abs() > 9e15 {
                    let (path, label) = (path.into(), label.clone());
                    return Err(TaskError::FractionalLabel { path, line: *line, label });
                }
                whole.push(value as i64);
            }
            indexed(&whole)
        }
        None => indexed(&table.labels.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>()),
    };
    let examples = labels.len();
    if names.len() < 2 {
        let found = names.first().map_or_else(|| "no example".to_owned(), |name| format!("only the label {name:?}"));
        return Err(TaskError::TooFewClasses { path: path.into(), found });
    }
    if names.len() > MANY_CLASSES && names.len() * 2 > examples {
        return Err(TaskError::TooManyClasses {
            path: path.into(),
            found: names.len(),
            examples,
            advice: "put the label into the last column (for numbers to predict, use a .npz file with float y)",
        });
    }
    Ok((labels, names))
}

fn indexed<T: Ord + Copy + ToString>(labels: &[T]) -> (Vec<u32>, Vec<String>) {
    let mut ids: BTreeMap<T, u32> = labels.iter().map(|&label| (label, 0)).collect();
    ids.values_mut().zip(0..).for_each(|(id, next)| *id = next);
    (labels.iter().map(|label| ids[label]).collect(), ids.keys().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_recognised_as_names_or_as_data() {
        let lines = |text: &str| parse(text, Path::new("t.csv")).unwrap().labels.len();
        assert_eq!(lines("a,b,class\n1,2,x\n3,4,y\n"), 2);
        assert_eq!(lines("1,2,x\n3,4,y\n"), 2);
        assert_eq!(lines("0,1,label\n1,2,0\n3,4,1\n"), 2, "numbers as names");
        assert_eq!(lines("1,2,0\n3,4,1\n"), 2);
        assert_eq!(lines("x;y;class\n1;2,5e0;z\n".replace(',', ".").as_str()), 1, "semicolons");
        assert_eq!(lines("1\t2\ta\n"), 1, "tabs");
    }

    #[test]
    fn labels_are_ordered_as_numbers_if_all_are_numbers() {
        let names = |labels: &[&str]| {
            let labels = labels.iter().map(|&label| (label.to_owned(), 1)).collect();
            classes(&Table { features: 1, values: Vec::new(), labels }, Path::new("t.csv")).unwrap()
        };
        assert_eq!(names(&["10", "9", "-1", "9.0"]), (vec![2, 1, 0, 1], vec!["-1".into(), "9".into(), "10".into()]));
        assert_eq!(names(&["10", "9", "x"]).1, ["10", "9", "x"]);
    }
}
