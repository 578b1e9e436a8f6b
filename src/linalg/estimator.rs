//! Estimators that ask for products of an operator, and the loop that feeds them.

use super::operator::LinearOperator;

/// A machine to be fed: the caller multiplies [`Self::vector`] by the operator in its own time and hands the product
/// to [`Self::absorb`], until there is an answer. Machines hold no operator, so live probes can work in pieces.
pub trait Estimator {
    type Output;

    /// The vector whose product is wanted next.
    fn vector(&self) -> &[f64];

    /// Takes the product of the operator and [`Self::vector`]; the answer, once there is one. After that a machine
    /// takes no more products.
    fn absorb(&mut self, product: &[f64]) -> Option<Self::Output>;

    /// Products taken in so far.
    fn products(&self) -> usize;
}

/// Feeds several estimators side by side with the products of one operator, so that it multiplies several vectors at once
/// ([`LinearOperator::apply_many`]): the answers of [`estimate`] for each.
///
/// # Errors
/// The first error of a product.
pub fn estimate_all<A: LinearOperator, E: Estimator>(
    operator: &mut A,
    machines: &mut [E],
) -> Result<Vec<E::Output>, A::Error> {
    let mut answers: Vec<Option<E::Output>> = machines.iter().map(|_| None).collect();
    while answers.iter().any(Option::is_none) {
        let open: Vec<usize> = (0..machines.len()).filter(|&i| answers[i].is_none()).collect();
        let vectors: Vec<&[f64]> = open.iter().map(|&i| machines[i].vector()).collect();
        let products = operator.apply_many(&vectors)?;
        for (i, product) in open.into_iter().zip(products) {
            answers[i] = machines[i].absorb(&product);
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Feeds an estimator with the products of an operator until it answers.
///
/// # Errors
/// The first error of a product.
pub fn estimate<A: LinearOperator, E: Estimator>(operator: &mut A, machine: &mut E) -> Result<E::Output, A::Error> {
    let mut product = vec![0.0; operator.dim()];
    loop {
        operator.apply(machine.vector(), &mut product)?;
        if let Some(answer) = machine.absorb(&product) {
            return Ok(answer);
        }
    }
}
