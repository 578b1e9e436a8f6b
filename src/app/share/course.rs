//! What was done to a run, in the text of a state.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::run::course::{Beside, Branch, Course, Leg, Turn};
use crate::run::spec::RunSpec;

use super::sparse;
use super::view::one_line;

/// Step, knob, value; read also where the value is written as a number or a truth.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "Vec<Value>")]
pub(super) struct WrittenTurn(u64, String, String);

impl TryFrom<Vec<Value>> for WrittenTurn {
    type Error = String;

    fn try_from(found: Vec<Value>) -> Result<Self, String> {
        if let [Value::Integer(step), Value::String(knob), to] = found.as_slice()
            && let Ok(step) = u64::try_from(*step)
        {
            let text = match to {
                Value::String(text) => Some(text.clone()),
                Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(to.to_string()),
                Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
            };
            if let Some(text) = text {
                return Ok(Self(step, knob.clone(), text));
            }
        }
        let found = Value::Array(found);
        Err(format!("turns: {found} isn't a step, a knob and a value; write them like [300, \"lr\", \"0.1\"]"))
    }
}

/// Parts of a state's text. What wasn't done isn't there.
pub(super) struct Written {
    pub until: Option<u64>,
    pub turns: Vec<WrittenTurn>,
    pub beside: Option<WrittenBeside>,
    pub branches: Vec<WrittenBranch>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBeside {
    /// Those of the first run, if it isn't there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turns: Option<Vec<WrittenTurn>>,
    /// What differs from the first run's.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    spec: Table,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBranch {
    #[serde(default, skip_serializing_if = "is_zero")]
    from: usize,
    step: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    turns: Vec<WrittenTurn>,
}

fn is_zero(from: &usize) -> bool {
    *from == 0
}

fn written(turns: &[Turn]) -> Vec<WrittenTurn> {
    turns.iter().map(|turn| WrittenTurn(turn.step, turn.knob.clone(), turn.to.clone())).collect()
}

fn read(turns: Vec<WrittenTurn>) -> Vec<Turn> {
    turns.into_iter().map(|WrittenTurn(step, knob, to)| Turn { step, knob, to }).collect()
}

impl Written {
    pub fn is_empty(&self) -> bool {
        self.until.is_none() && self.turns.is_empty() && self.beside.is_none() && self.branches.is_empty()
    }

    /// The course of a run that begins with `spec`.
    pub fn of(course: &Course, spec: &RunSpec) -> Result<Self, toml::ser::Error> {
        let beside = course.beside.as_ref().map(|beside| {
            let spec = sparse::difference(&Table::try_from(&*beside.spec)?, &Table::try_from(spec)?);
            let turns = (beside.turns != course.first.turns).then(|| written(&beside.turns));
            Ok::<_, toml::ser::Error>(WrittenBeside { turns, spec })
        });
        let branches = course.branches.iter().map(|Branch { from, step, leg }| WrittenBranch {
            from: *from,
            step: *step,
            until: leg.until,
            turns: written(&leg.turns),
        });
        Ok(Self {
            until: course.first.until,
            turns: written(&course.first.turns),
            beside: beside.transpose()?,
            branches: branches.collect(),
        })
    }

    /// # Errors
    /// One sentence that names what is wrong.
    pub fn course(self, spec: &RunSpec) -> Result<Course, String> {
        let first = Leg { turns: read(self.turns), until: self.until };
        let beside = self.beside.map(|beside| {
            let unsayable = |error: toml::ser::Error| format!("beside.spec: {error}");
            let whole = sparse::laid_over(Table::try_from(spec).map_err(unsayable)?, beside.spec);
            let spec: RunSpec =
                whole.try_into().map_err(|error: toml::de::Error| format!("beside.spec: {}", one_line(&error)))?;
            let turns = beside.turns.map_or_else(|| first.turns.clone(), read);
            Ok::<_, String>(Beside { spec: Box::new(spec), turns })
        });
        let branches = self.branches.into_iter().map(|branch| {
            let leg = Leg { turns: read(branch.turns), until: branch.until };
            Branch { from: branch.from, step: branch.step, leg }
        });
        let mut course = Course { beside: beside.transpose()?, branches: branches.collect(), first };
        course.check(spec)?;
        Ok(course)
    }
}
