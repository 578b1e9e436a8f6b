//! Why shaping shrinks as the root of the width: an experiment of its own beside the knobs'.
//!
//! An MLP whose slopes are `1 + c/n^p`, at depth n. At p = 1/2 networks of all widths have one law, that of the equation. Below,
//! the drift of the correlation grows with the width, and tokens become one; above, it vanishes, and the network is linear.

use crate::base::statistics::median;
use crate::record::TrackId;
use crate::run::bench::{Bench, Halt};
use crate::theory::shaped_chain::{Network, networks};
use crate::theory::shaped_correlation::correlations;
use crate::theory::shaped_paths::Paths;
use crate::theory::shaped_transformer::{Shaped, equal_tokens};

/// p.
pub const EXPONENTS: [f64; 3] = [0.25, 0.5, 0.75];
/// n.
pub const WIDTHS: [usize; 3] = [16, 64, 256];
/// Of the branch weight; `c_-` with `c_+ = 0`; the correlation at the input.
const GAMMA2: f64 = 0.5;
const SLOPE: f64 = -2.0;
const START: f64 = 0.2;
/// Networks in a piece of some 50 ms at the largest width.
const PIECE: usize = 64;

fn mlp(slope: f64) -> Shaped {
    Shaped {
        tokens: 2,
        gamma: GAMMA2.sqrt(),
        temperature: 1.0,
        attention: false,
        mlp: true,
        slopes: [0.0, slope],
        mlp_width: None,
    }
}

/// `c/n^p = (c n^(1/2 - p))/sqrt(n)`.
fn network(exponent: f64, width: usize) -> Network {
    let shaped = mlp(SLOPE * (width as f64).powf(0.5 - exponent));
    Network { shaped, width, key_width: 1, centred: true, temperature_grows: true, slopes_shrink: true }
}

/// Pieces of `count` networks each.
pub fn pieces(count: usize) -> u64 {
    (EXPONENTS.len() * WIDTHS.len() * count.div_ceil(PIECE)) as u64
}

/// Records the median correlation after n layers with its standard error, at step 0: it belongs to no layer of the knobs' networks.
pub fn run(bench: &mut Bench<'_>, count: usize) -> Result<(), Halt> {
    let streams = bench.streams();
    for (label, slope) in [("0.5, equation", SLOPE), ("above 0.5, equation", 0.0)] {
        // A linear network's equation has no nu.
        let paths = correlations(&mlp(slope), START, 1.0, 0.01, 1, 0..16 * count, streams);
        for width in [WIDTHS[0], WIDTHS[WIDTHS.len() - 1]] {
            let track = begin(bench, label, width)?;
            bench.record_scalars(track, 0, &[("median correlation", median(&paths[1]).unwrap_or(f64::NAN))])?;
        }
    }
    for exponent in EXPONENTS {
        for width in WIDTHS {
            let track = begin(bench, &exponent.to_string(), width)?;
            let mut paths = Paths::default();
            while paths.count() < count {
                let which = paths.count()..count.min(paths.count() + PIECE);
                paths.extend(networks(&network(exponent, width), &equal_tokens(2, START), width, 1, which, streams));
                bench.round()?;
            }
            // The order statistics one standard error of a rank below and above the middle.
            let beside = 0.5 / (count as f64).sqrt();
            let [low, found, high] = paths.correlation_quantiles(1, &[0.5 - beside, 0.5, 0.5 + beside])[..] else {
                continue;
            };
            let numbers = [("median correlation", found), ("median error", 0.5 * (high - low))];
            bench.record_scalars(track, 0, &numbers)?;
        }
    }
    Ok(())
}

fn begin(bench: &mut Bench<'_>, exponent: &str, width: usize) -> Result<TrackId, Halt> {
    let label = format!("exponent {exponent}, width {width}");
    bench.track(&label, &[("witness", "exponent"), ("exponent", exponent), ("width", &width.to_string())])
}
