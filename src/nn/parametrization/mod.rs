//! Parametrisations: how starts and learning rates scale with width and depth.
//!
//! With `m = width/base_width`, `l = depth/base_depth`, everything here is a factor on what the Standard parametrisation
//! does, so at the base width and depth and `gamma0 = 1` all of them are Standard: a learning rate that was found there
//! can be carried to other sizes. [`table`] holds the exponents, [`scaling`] turns them into numbers a tensor, and
//! [`model`] applies those to any network.
//!
//! There are two equivalent forms. *Absorbed*: the network computes with the tensors W as they are stored, and W's start
//! and learning rate carry the scaling. *Explicit*: what is stored and trained is theta, whose start doesn't depend on
//! the width, and the network computes with `W = c theta`. Then `dL/dtheta = c dL/dW`, so the same trajectory needs
//!
//! | | SGD, with or without momentum | Adam, AdamW |
//! | --- | --- | --- |
//! | learning rate of theta | that of W / c^2 | that of W / c |
//! | epsilon | | that of W * c |
//! | coupled weight decay (added to the gradient) | that of W * c^2 | that of W * c^2 |
//! | decoupled weight decay (AdamW) | | that of W * c |
//!
//! Momentum and the betas are the same in both. Clipping gradients by a norm over several tensors isn't: the gradients of
//! theta have another norm.
//!
//! Sources: Yang and Hu 2021 (abc-parametrisations), Yang et al. 2022 with `microsoft/mup` (muP), Bordelon et al. 2024
//! and Yang et al. 2024 (depth), Noci et al. 2024 (this table).

pub mod model;
pub mod place;
pub mod scaling;
pub mod spec;
pub mod table;

pub use scaling::{Factors, UpdateKind, factors, learning_rate_factors};
pub use spec::{Form, Parametrization, ParametrizationSpec};
