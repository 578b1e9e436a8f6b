//! Lessons: what to look at in a lab, step by step, with links that do it.
//!
//! A lesson is Markdown of a narrow kind (`assets/lessons/<lab>.md`; `docs/ADDING_A_LAB.md` has the grammar): a title, an
//! introduction, and steps under `##`. In a step paragraphs, formulas (indented by four), links `[text](action; action)`,
//! one question (`? ...`) with its hidden answer (`! ...`), and `<!-- expect: ... -->` lines that a test checks.

use crate::record::Recording;
use crate::run::bench::Preset;

/// A parsed lesson.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lesson {
    pub title: String,
    pub intro: Vec<Block>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    pub title: String,
    pub blocks: Vec<Block>,
    pub question: String,
    pub answer: String,
    pub expects: Vec<Expect>,
}

/// Part of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Paragraph(String),
    /// Set apart, in a fixed-width font.
    Formula(String),
    Link {
        text: String,
        actions: Vec<LessonAction>,
    },
}

/// What a link does.
#[derive(Clone, Debug, PartialEq)]
pub enum LessonAction {
    /// Sets a knob, as one types it.
    Set { knob: String, text: String },
    /// All knobs as a preset has them.
    Preset(Preset),
    /// Scrubs to a step; `None` follows the newest.
    Go(Option<u64>),
    /// Brings a chart out, or puts it back.
    Show(Option<String>),
    /// Plays on.
    Play,
}

/// `series{attribute = value, ...} at step < number`: holds for a recording, or doesn't.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    pub series: String,
    pub track: Vec<(String, String)>,
    /// The last if none.
    pub step: Option<u64>,
    pub above: bool,
    pub bound: f64,
}

impl Lesson {
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lesson = Self::default();
        let mut paragraph = String::new();
        for (number, line) in text.lines().enumerate() {
            let wrong = |what: &str| format!("line {}: {what}: {line:?}", number + 1);
            let trimmed = line.trim();
            let continues = !trimmed.is_empty()
                && !line.starts_with("    ")
                && !["#", "? ", "! ", "<!--", "["].iter().any(|start| trimmed.starts_with(start));
            if continues {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(trimmed);
                continue;
            }
            lesson.end_paragraph(&mut paragraph);
            if let Some(title) = trimmed.strip_prefix("## ") {
                lesson.steps.push(Step { title: title.into(), ..Step::default() });
            } else if let Some(title) = trimmed.strip_prefix("# ") {
                lesson.title = title.into();
            } else if line.starts_with("    ") {
                lesson.blocks().push(Block::Formula(trimmed.into()));
            } else if trimmed.starts_with('[') {
                lesson.blocks().push(link(trimmed).map_err(|what| wrong(&what))?);
            } else if let Some(rest) = trimmed.strip_prefix("? ") {
                lesson.step().ok_or_else(|| wrong("a question outside a step"))?.question = rest.into();
            } else if let Some(rest) = trimmed.strip_prefix("! ") {
                lesson.step().ok_or_else(|| wrong("an answer outside a step"))?.answer = rest.into();
            } else if let Some(rest) = trimmed.strip_prefix("<!-- expect:") {
                let rest = rest.strip_suffix("-->").ok_or_else(|| wrong("an expectation has no end"))?;
                let expect = Expect::parse(rest.trim()).map_err(|what| wrong(&what))?;
                lesson.step().ok_or_else(|| wrong("an expectation outside a step"))?.expects.push(expect);
            }
        }
        lesson.end_paragraph(&mut paragraph);
        Ok(lesson)
    }

    fn step(&mut self) -> Option<&mut Step> {
        self.steps.last_mut()
    }

    fn blocks(&mut self) -> &mut Vec<Block> {
        match self.steps.last_mut() {
            Some(step) => &mut step.blocks,
            None => &mut self.intro,
        }
    }

    fn end_paragraph(&mut self, text: &mut String) {
        if !text.is_empty() {
            let text = std::mem::take(text);
            self.blocks().push(Block::Paragraph(text));
        }
    }
}

impl Step {
    /// The actions of all links, in their order.
    pub fn actions(&self) -> impl Iterator<Item = &LessonAction> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Link { actions, .. } => actions.as_slice(),
            Block::Paragraph(_) | Block::Formula(_) => &[],
        })
    }
}

fn link(line: &str) -> Result<Block, String> {
    let parts = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(')')).and_then(|rest| rest.split_once("]("));
    let (text, actions) = parts.ok_or("a link isn't [text](action; action)")?;
    let actions = actions.split(';').map(|action| LessonAction::parse(action.trim())).collect::<Result<_, _>>()?;
    Ok(Block::Link { text: text.into(), actions })
}

impl LessonAction {
    /// # Errors
    /// Says which actions there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (verb, rest) = (verb.trim(), rest.trim());
        Ok(match (verb, rest) {
            ("set", _) => {
                let (knob, value) = rest.split_once('=').ok_or("set needs knob = value")?;
                Self::Set { knob: knob.trim().into(), text: value.trim().into() }
            }
            ("preset", _) => Self::Preset(Preset::find(rest).ok_or_else(|| format!("there is no preset {rest:?}"))?),
            ("follow", "") => Self::Go(None),
            ("go", _) => Self::Go(Some(rest.parse().map_err(|_| format!("go needs a step, not {rest:?}"))?)),
            ("show", "all") => Self::Show(None),
            ("show", _) if !rest.is_empty() => Self::Show(Some(rest.into())),
            ("play", "") => Self::Play,
            _ => {
                return Err(format!(
                    "there is no action {text:?}; give set KNOB = VALUE, preset NAME, go STEP, follow, show CHART, show all or play"
                ));
            }
        })
    }
}

impl Expect {
    /// # Errors
    /// Says how an expectation is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?} isn't `series{{attribute = value}} at step < number` (or >, or `at end`)");
        let (left, right) = text.split_once(" at ").ok_or_else(form)?;
        let (series, track) = match left.split_once('{') {
            None => (left, ""),
            Some((series, rest)) => (series, rest.trim().strip_suffix('}').ok_or_else(form)?),
        };
        let pair = |part: &str| part.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()));
        let track = track
            .split(',')
            .filter(|part| !part.trim().is_empty())
            .map(pair)
            .collect::<Option<_>>()
            .ok_or_else(form)?;
        let words: Vec<_> = right.split_whitespace().collect();
        let &[step, sign, bound] = words.as_slice() else { return Err(form()) };
        let step = match step {
            "end" => None,
            number => Some(number.parse().map_err(|_| form())?),
        };
        let above = match sign {
            ">" => true,
            "<" => false,
            _ => return Err(form()),
        };
        Ok(Self { series: series.trim().into(), track, step, above, bound: bound.parse().map_err(|_| form())? })
    }

    /// # Errors
    /// Says what was found instead.
    pub fn check(&self, recording: &Recording) -> Result<(), String> {
        let found = recording
            .tracks()
            .filter(|(_, track)| self.track.iter().all(|(name, value)| track.attributes.get(name) == Some(value)))
            .find_map(|(_, track)| Some(track.scalar(&self.series)?.latest_at(self.step.unwrap_or(u64::MAX))?.1));
        let value = found.ok_or_else(|| format!("no track has {:?} where {:?}", self.series, self.track))?;
        let holds = if self.above { value > self.bound } else { value < self.bound };
        let sign = if self.above { ">" } else { "<" };
        if holds { Ok(()) } else { Err(format!("{} is {value}, not {sign} {}", self.series, self.bound)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\nIntro in\ntwo lines.\n\n## First\n\nLook.\n\n    a = b\n\n[Turn it](set depth = 12; go 3)\n\n\
        ? Why?\n! Because.\n<!-- expect: loss{width = 16, seed = 0} at end < 0.5 -->\n\n## Second\n[All](show all)\n";

    #[test]
    fn a_lesson_is_read_with_its_links_questions_and_expectations() {
        let lesson = Lesson::parse(TEXT).unwrap();
        assert_eq!((lesson.title.as_str(), lesson.steps.len()), ("Title", 2));
        assert_eq!(lesson.intro, [Block::Paragraph("Intro in two lines.".into())]);
        let step = &lesson.steps[0];
        assert_eq!(step.blocks[1], Block::Formula("a = b".into()));
        let set = LessonAction::Set { knob: "depth".into(), text: "12".into() };
        assert_eq!(step.actions().cloned().collect::<Vec<_>>(), [set, LessonAction::Go(Some(3))]);
        assert_eq!((step.question.as_str(), step.answer.as_str()), ("Why?", "Because."));
        let expect = &step.expects[0];
        assert_eq!((expect.series.as_str(), expect.step, expect.above, expect.bound), ("loss", None, false, 0.5));
        assert_eq!(expect.track[1], ("seed".into(), "0".into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, word) in [
            ("## A\n[x](fly)", "fly"),
            ("? too early", "outside a step"),
            ("## A\n<!-- expect: loss is low -->", "at step"),
            ("## A\n[x](preset huge)", "huge"),
        ] {
            let message = Lesson::parse(text).unwrap_err();
            assert!(message.contains(word) && message.contains("line"), "{message}");
        }
    }
}
