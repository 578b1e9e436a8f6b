//! Landscope: an oscilloscope for neural-network training.
//!
//! Worker threads train small networks and measure them; what they measure is a [`record::Recording`];
//! [`plots`] turns a recording and a time cursor into plain descriptions of pictures; the window
//! ([`app`]) and the figures ([`figures`]) draw the same descriptions.
//!
//! Imports run downwards only (`tests/it/architecture.rs` enforces it):
//!
//! ```text
//! main -> cli, app -> figures -> plots -> record -> base
//!         cli, app -> labs -> run -> probes -> {nn, tasks, optim}, record, theory -> linalg -> base
//! ```
//!
//! | Room | What it holds |
//! | --- | --- |
//! | [`base`] | named random streams, statistics, numbers in words, what the system is told |
//! | [`linalg`] | matrix-free algebra on slices: operators, Lanczos |
//! | [`theory`] | what papers predict, as plain numbers |
//! | [`record`] | the waist: readings, snapshots, recordings, the time cursor, the file |
//! | [`nn`] | networks on candle: parameters, models, losses, curvature products, slices |
//! | [`tasks`] | data sets, generators and loaders |
//! | [`optim`] | optimisers and schedules |
//! | [`probes`] | one measurement per file |
//! | [`run`] | spec, knobs, trainer, worker, session, messages |
//! | [`labs`] | one paper per file: knobs, protocol, charts, claims, theory |
//! | [`plots`] | what to draw, as plain data |
//! | [`figures`] | draws plots as SVG and PNG |
//! | [`cli`] | one subcommand per file |
//! | [`app`] | the only egui code |

pub mod app;
pub mod base;
pub mod cli;
pub mod figures;
pub mod labs;
pub mod linalg;
pub mod nn;
pub mod optim;
pub mod plots;
pub mod probes;
pub mod record;
pub mod run;
pub mod tasks;
pub mod theory;
