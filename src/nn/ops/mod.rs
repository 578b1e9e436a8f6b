//! The operations that networks are made of: one idea a file.
//!
//! Every operation has a *composed* form in candle's own differentiable operations: it runs on GPUs and is the
//! oracle of the tests. All are twice differentiable.
//!
//! Activations are matrices `[R, D]`: one row a token (or an example, without tokens), batch-major.

pub mod activation;
pub mod attention;
mod attention_head;
pub mod attention_weights;
pub mod average_pool;
pub mod batch_norm;
pub mod convolution;
pub mod cross_entropy;
pub mod embedding;
pub mod float;
pub mod layer_norm;
pub mod linear;
pub mod pooling;
pub mod product;
pub mod residual;
pub mod rms_norm;
pub mod rows;
pub mod scale;
mod small_product;
