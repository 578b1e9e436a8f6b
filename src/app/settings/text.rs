//! Settings as text.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::run::kept_file::Doubt;

use super::NamedLayout;

/// Of the format. It grows with every new field: a program that doesn't know a field would drop it.
const VERSION: u32 = 1;

pub type SettingsDoubt = Doubt;

/// What is kept from one day to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub light: bool,
    pub presenter: bool,
    pub knobs_folded: bool,
    pub lesson_folded: bool,
    pub folder: Option<PathBuf>,
    pub recent: Vec<PathBuf>,
    /// By experiment: where its panes were last.
    pub last_layouts: BTreeMap<String, Table>,
    pub layouts: BTreeMap<String, NamedLayout>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    version: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    light: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    presenter: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fold_knobs: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fold_lesson: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    last_layouts: BTreeMap<String, Table>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    layouts: BTreeMap<String, WrittenLayout>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLayout {
    experiment: String,
    view: Table,
}

impl Settings {
    pub fn to_toml(&self) -> String {
        // Paths that aren't Unicode can't be written down: they are forgotten.
        let text = |path: &PathBuf| path.to_str().map(str::to_owned);
        let layout = |(name, layout): (&String, &NamedLayout)| {
            (name.clone(), WrittenLayout { experiment: layout.experiment.clone(), view: layout.view.clone() })
        };
        let written = Written {
            version: VERSION,
            light: self.light,
            presenter: self.presenter,
            fold_knobs: self.knobs_folded,
            fold_lesson: self.lesson_folded,
            folder: self.folder.as_ref().and_then(text),
            recent: self.recent.iter().filter_map(text).collect(),
            last_layouts: self.last_layouts.clone(),
            layouts: self.layouts.iter().map(layout).collect(),
        };
        toml::to_string(&written).unwrap_or_else(|_| format!("version = {VERSION}\n"))
    }

    /// # Errors
    /// [`Doubt::Newer`] for a format of tomorrow, else [`Doubt::Damaged`], with what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, Doubt> {
        let damaged = |error: &toml::de::Error| Doubt::Damaged(error.message().trim().replace('\n', " "));
        let table: Table = text.parse().map_err(|error| damaged(&error))?;
        match table.get("version").and_then(toml::Value::as_integer) {
            None => return Err(Doubt::Damaged("it has no version".into())),
            Some(found) if found > i64::from(VERSION) => {
                return Err(Doubt::Newer(format!("it has format {found}, and this program knows up to {VERSION}")));
            }
            Some(_) => {}
        }
        let written: Written = table.try_into().map_err(|error| damaged(&error))?;
        let layout = |(name, layout): (String, WrittenLayout)| {
            (name, NamedLayout { experiment: layout.experiment, view: layout.view })
        };
        Ok(Self {
            light: written.light,
            presenter: written.presenter,
            knobs_folded: written.fold_knobs,
            lesson_folded: written.fold_lesson,
            folder: written.folder.map(PathBuf::from),
            recent: written.recent.into_iter().map(PathBuf::from).collect(),
            last_layouts: written.last_layouts,
            layouts: written.layouts.into_iter().map(layout).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_equal() {
        let view: Table = "panes = '(loss | landscape)'".parse().unwrap();
        let settings = Settings {
            light: true,
            presenter: true,
            knobs_folded: true,
            lesson_folded: true,
            folder: Some("/home/é".into()),
            recent: vec!["/a.landscope".into(), "/b".into()],
            last_layouts: BTreeMap::from([("playground".into(), view.clone())]),
            layouts: BTreeMap::from([(
                "My lecture".into(),
                NamedLayout { experiment: "playground".into(), view: view.clone() },
            )]),
        };
        assert_eq!(Settings::from_toml(&settings.to_toml()), Ok(settings));
        assert_eq!(Settings::from_toml(&Settings::default().to_toml()), Ok(Settings::default()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic(at in 0usize..60, byte in 0u8..128, cut in 0usize..90) {
            let mut bytes = b"version = 1\nlight = true\nrecent = ['a']\n[layouts.x]\nexperiment = 'y'\n[layouts.x.view]\n".to_vec();
            bytes[at] = byte;
            bytes.truncate(cut);
            if let Ok(settings) = Settings::from_toml(&String::from_utf8_lossy(&bytes)) {
                proptest::prop_assert_eq!(Settings::from_toml(&settings.to_toml()), Ok(settings));
            }
        }
    }

    #[test]
    fn what_is_no_settings_is_named() {
        for (text, word) in [("", "version"), ("version = 1\nlihgt = true", "lihgt"), ("version = ", ""), ("\0", "")] {
            let Err(Doubt::Damaged(problem)) = Settings::from_toml(text) else { panic!("{text}") };
            assert!(problem.contains(word) && !problem.contains('\n'), "{problem}");
        }
        assert!(matches!(Settings::from_toml("version = 2\nhologram = 3"), Err(Doubt::Newer(_))));
    }
}
