//! What can be wrong with the user's data.

use std::path::PathBuf;

use super::spec::TaskKind;

/// One clear line: which file, what was found, what was expected, what to do.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("The task {task:?} reads your data and was given no path; set \"File or folder\" (`--data PATH`)")]
    NoPath { task: TaskKind },
    #[error("{path:?} doesn't exist; check the path for typing errors")]
    NotFound { path: PathBuf },
    #[error("{path:?} is a file, a folder was expected; give the folder with {holding}")]
    NotAFolder { path: PathBuf, holding: &'static str },
    #[error("{path:?} is a folder, a file was expected; give {expected}")]
    NotAFile { path: PathBuf, expected: &'static str },
    #[error("{folder:?} lacks a file; looked for {looked_for}")]
    Missing { folder: PathBuf, looked_for: String },
    #[error("{path:?} can't be read: {source}; check the permissions and the disk")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path:?} is empty; {expected} was expected: copy or download the file again")]
    Empty { path: PathBuf, expected: &'static str },
    #[error("{path:?} isn't whole gzip data: {source}; download the file again")]
    BadGzip { path: PathBuf, source: std::io::Error },
    #[error(
        "{path:?} has {found} bytes of data where {expected} were expected ({why}); download or write the file again"
    )]
    WrongSize { path: PathBuf, found: u64, expected: String, why: String },
    #[error("{path:?} starts with {found}, expected {expected}; check that it is the right kind of file")]
    WrongMagic { path: PathBuf, found: String, expected: String },
    #[error("{path:?} has the shape {found}, expected {expected}")]
    WrongShape { path: PathBuf, found: String, expected: String },
    #[error(
        "{path:?} has {found} labels for the {examples} examples of {of:?}; the two must come from the same data set"
    )]
    CountMismatch { path: PathBuf, found: usize, of: PathBuf, examples: usize },
    #[error(
        "{path:?}, {place}: the label {label} isn't a whole number from 0 to {max}; number the classes 0, 1, 2, ... without gaps"
    )]
    BadLabel { path: PathBuf, place: String, label: String, max: usize },
    #[error(
        "{path:?}, line {line}: {found} columns, expected {expected} as in the first line; check for missing or extra separators"
    )]
    RaggedRow { path: PathBuf, line: u64, found: usize, expected: usize },
    #[error(
        "{path:?}, line {line}, column {column}: {value:?} isn't a number; features must be numeric, only the last column may hold words"
    )]
    NotANumber { path: PathBuf, line: u64, column: usize, value: String },
    #[error("{path:?}, {place}: the value is {value}; only finite numbers can be learnt from: remove or replace it")]
    NonFinite { path: PathBuf, place: String, value: String },
    #[error(
        "{path:?}, line {line}: the label {label} is a fraction; labels are words or whole numbers (for numbers to predict, use a .npz file with float y)"
    )]
    FractionalLabel { path: PathBuf, line: u64, label: String },
    #[error("{path:?} isn't valid CSV: {message}")]
    BadCsv { path: PathBuf, message: String },
    #[error("{path:?} isn't UTF-8 text: byte {at} can't be decoded; save the file in the encoding UTF-8")]
    NotUtf8 { path: PathBuf, at: usize },
    #[error(
        "{path:?} has {found} characters, at least {minimum} are needed at a context of {context}; give a longer text or a shorter context"
    )]
    TextTooShort { path: PathBuf, found: usize, minimum: usize, context: usize },
    #[error("{path:?} has no subfolders; one folder a class is expected, each with PNG pictures of that class")]
    NoClassFolders { path: PathBuf },
    #[error("{path:?} has no PNG picture; {expected}")]
    NoPictures { path: PathBuf, expected: &'static str },
    #[error("{path:?} can't be decoded as PNG: {message}; replace or remove the picture")]
    BadPicture { path: PathBuf, message: String },
    #[error("{path:?} holds {found}; at least two classes are needed to tell apart")]
    TooFewClasses { path: PathBuf, found: String },
    #[error("{path:?} has {found} different labels among {examples} examples; {advice}")]
    TooManyClasses { path: PathBuf, found: usize, examples: usize, advice: &'static str },
    #[error("{path:?} holds {found} examples; at least {minimum} are needed for a training and a test split")]
    TooFewExamples { path: PathBuf, found: usize, minimum: usize },
    #[error("{path:?} isn't a whole .npz archive: {message}; write it with `numpy.savez`")]
    BadArchive { path: PathBuf, message: String },
    #[error("{path:?} has no array {name:?} (it has {found}); write it with `numpy.savez(path, x=..., y=...)`")]
    MissingArray { path: PathBuf, name: String, found: String },
    #[error("{path:?} isn't a whole safetensors file ({message}); copy or write it again")]
    BadSafetensors { path: PathBuf, message: String },
    #[error("{path:?} has no tensor {name:?} (it has {found}); write the inputs as x and the targets as y")]
    MissingTensor { path: PathBuf, name: String, found: String },
    #[error("{path:?}: {found}; both need the same number of examples first")]
    TensorLengths { path: PathBuf, found: String },
    #[error("{path:?}, array {name:?}: the type {found} can't be used; {expected}")]
    WrongType { path: PathBuf, name: String, found: String, expected: &'static str },
    #[error("{what} would need {needed_mib} MiB, the limit is {limit_mib} MiB; {advice}")]
    TooLarge { what: String, needed_mib: u64, limit_mib: u64, advice: &'static str },
    #[error("A context of {context} tokens is outside {min} to {max}; change \"Context length\" (`--context`)")]
    BadContext { context: usize, min: usize, max: usize },
}
