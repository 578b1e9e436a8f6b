//! The two directions in which the loss curves the most.

use candle_core::Result;

use crate::base::digits::number;
use crate::linalg::lanczos::{Eigenpair, Lanczos, Options, Progress};
use crate::linalg::vectors::{axpy, dot, norm};
use crate::nn::curvature::Hessian;
use crate::nn::slice::directions::{Directions, orthonormal};
use crate::probes::job::Subject;

use super::{Memory, Plane, Preparation, random};

/// Numbers that the subspace of Lanczos' method may hold, each vector twice.
const MOST_NUMBERS: usize = 16 << 20;

/// Eigenvectors of the Hessian of the very loss that the slice shows, with the largest eigenvalue and the next, so
/// that the surface's second differences at the centre are the eigenvalues.
///
/// The second is the largest of `H - 2 |l| v v'`, where the first, `(l, v)`, has gone to `-|l|` or below: deflation,
/// exact as far as v is.
pub(super) struct Eigenvectors {
    subject: Subject,
    hessian: Hessian,
    search: Lanczos,
    multiplying: bool,
    first: Option<Eigenpair>,
    memory: Memory,
}

impl Eigenvectors {
    pub fn new(subject: &Subject, examples: usize, memory: &Memory) -> Result<Self> {
        let batch = subject.batch(examples)?;
        let hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss)?;
        let search = search(subject, 0, memory);
        Ok(Self { subject: subject.clone(), hessian, search, multiplying: false, first: None, memory: memory.clone() })
    }
}

fn search(subject: &Subject, index: usize, memory: &Memory) -> Lanczos {
    let dim = subject.model.layout().total();
    let options = Options {
        tolerance: 1e-3,
        most_products: 100,
        least_products: 3,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 30),
    };
    let random = subject
        .streams
        .indexed(["probe/landscape/eigenvector 1", "probe/landscape/eigenvector 2"][index], subject.step);
    Lanczos::new(dim, memory.get(index).as_deref(), random, options)
}

impl Preparation for Eigenvectors {
    fn advance(&mut self) -> Result<Option<Plane>> {
        if !self.multiplying {
            self.hessian.begin(self.search.vector())?;
            self.multiplying = true;
        }
        let Some(product) = self.hessian.advance()? else { return Ok(None) };
        self.multiplying = false;
        let progress = match &self.first {
            None => self.search.absorb(product),
            Some(first) => {
                let mut product = product.to_vec();
                let share = dot(&first.vector, self.search.vector());
                axpy(-2.0 * first.value.abs() * share, &first.vector, &mut product);
                self.search.absorb(&product)
            }
        };
        let Progress::Finished(pair) = progress else { return Ok(None) };
        let index = usize::from(self.first.is_some());
        if !pair.value.is_finite() {
            return random::instead(&self.subject, "the Hessian isn't finite").map(Some);
        }
        let pair = Eigenpair { vector: facing(&pair.vector, self.memory.get(index).as_deref()), ..*pair };
        // The start for the next search keeps the side that was chosen.
        self.memory.set(index, facing(&pair.next_start, Some(&pair.vector)));
        match self.first.take() {
            None => {
                self.first = Some(pair);
                self.search = search(&self.subject, 1, &self.memory);
                Ok(None)
            }
            Some(first) => self.plane(&first, &pair).map(Some),
        }
    }
}

impl Eigenvectors {
    fn plane(&self, first: &Eigenpair, second: &Eigenpair) -> Result<Plane> {
        let [Some(d), Some(e)] = orthonormal(&first.vector, &second.vector) else {
            return random::instead(&self.subject, "the Hessian has no two eigenvectors");
        };
        let whole = norm(&self.subject.model.layout().flatten(&self.subject.params)?);
        let steepest = first.value.abs().max(second.value.abs());
        let risen = (2.0 / steepest).sqrt();
        let (unit, how) = if risen < whole {
            (risen, "where the quadratic model has changed by 1 along the steeper")
        } else {
            (if whole > 0.0 { whole } else { 1.0 }, "as long as all parameters")
        };
        let mut description = format!(
            "the two eigenvectors of the Hessian with the largest eigenvalues; 1 on the axes is a distance of {}, {how}",
            number(unit)
        );
        for (name, pair) in [("first", first), ("second", second)] {
            if !pair.converged {
                let (residual, products) = (number(pair.residual), pair.products);
                description.push_str(&format!(
                    "; the {name} has not converged: residual {residual} after {products} products"
                ));
            }
        }
        let axes = [(1, first), (2, second)].map(|(k, pair)| format!("eigenvector {k} (λ = {})", number(pair.value)));
        Ok(Plane { directions: Directions::isometric([&d, &e], unit), axes, description })
    }
}

/// An eigenvector has two signs: the one nearer to `like`, or the one whose largest entry is positive.
fn facing(v: &[f64], like: Option<&[f64]>) -> Vec<f64> {
    let side = match like.filter(|like| like.len() == v.len()) {
        Some(like) => dot(v, like),
        None => v.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m }),
    };
    if side < 0.0 { v.iter().map(|x| -x).collect() } else { v.to_vec() }
}
