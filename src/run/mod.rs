//! Specification, knobs, trainer, worker, session and the messages between threads.

pub mod bench;
mod budget;
pub mod command_line;
pub mod connectivity;
pub mod coord_check;
pub mod curvature;
pub mod device;
mod divergence;
mod history;
mod keeper;
pub mod knobs;
pub mod ledger;
pub mod linear_networks;
mod live_run;
pub mod measuring;
pub mod messages;
pub mod model_file;
mod outbox;
pub mod parametrization;
pub mod preconditioning;
mod prober;
mod recorder;
pub mod replay;
pub mod session;
pub mod shaped_networks;
mod side_work;
pub mod spec;
pub mod sweep;
mod threshold;
pub mod trainer;
pub mod weights_file;
pub mod worker;

pub use keeper::Keeping;
pub use live_run::Past;
pub use outbox::Wake;
