//! How high the loss and the error rise between two ends, in both conventions of the literature.

/// Loss and error at a place of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// In [0, 1].
    pub t: f64,
    pub loss: f64,
    /// 1 - accuracy; none for regression.
    pub error: Option<f64>,
}

/// What a barrier is measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// `max_t f(t) - (f(0) + f(1)) / 2` (Frankle et al. 2020, who take the error: the "instability"). Positive for ends
    /// of unequal height, even on a slope without a hill.
    Frankle,
    /// `max_t [f(t) - ((1 - t) f(0) + t f(1))]` (Entezari et al. 2022, who take the loss): above the chord; never
    /// negative, and zero for a convex f.
    Entezari,
}

/// The highest place of a path above what its convention says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    pub height: f64,
    pub t: f64,
    /// The peak lies within so much of `t`, if it is the only one there.
    pub t_error: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Barriers {
    /// All places that were looked at, by rising t: the even grid, and those about the peaks.
    pub points: Vec<Point>,
    pub loss_frankle: Peak,
    pub loss_entezari: Peak,
    /// None for regression. Errors come in steps: these peaks are as good as the grid.
    pub error_frankle: Option<Peak>,
    pub error_entezari: Option<Peak>,
}

impl Barriers {
    /// `max_t f(t) - max(f(0), f(1))` of the loss: above the higher end; never negative, and at most either of the others.
    /// The place is as sure as that of [`Convention::Frankle`], which is highest where f is.
    pub fn loss_above_higher_end(&self) -> Peak {
        self.above_higher_end(&loss, self.loss_frankle.t_error)
    }

    /// The same of the error; none for regression.
    pub fn error_above_higher_end(&self) -> Option<Peak> {
        let error = |p: &Point| p.error.unwrap_or(f64::NAN);
        self.error_frankle.map(|peak| self.above_higher_end(&error, peak.t_error))
    }

    fn above_higher_end(&self, of: &dyn Fn(&Point) -> f64, t_error: f64) -> Peak {
        let ends = [0, self.points.len() - 1].map(|at| of(&self.points[at]));
        let higher = ends[0].max(ends[1]);
        let above = |p: &Point| if of(p).is_finite() { of(p) - higher } else { f64::INFINITY };
        let (t, height) = highest(&self.points, above);
        Peak { height, t, t_error }
    }
}

/// Fewest points of the grid: with fewer, narrow barriers are missed.
pub const FEWEST_POINTS: usize = 25;
/// Width at which the search for a peak ends.
const T_ERROR: f64 = 1e-3;

/// Walks a path: an even grid of `points` (at least [`FEWEST_POINTS`]), then, for both of the loss's peaks, a
/// golden-section search between the grid's neighbours (Kiefer 1953) until the place is known to 0.001.
///
/// Losses that aren't finite are infinitely high.
///
/// # Errors
/// The first error of `evaluate`.
pub fn barriers<E>(mut evaluate: impl FnMut(f64) -> Result<Point, E>, points: usize) -> Result<Barriers, E> {
    let points = points.max(FEWEST_POINTS);
    let spacing = 1.0 / (points - 1) as f64;
    let mut walked = Vec::with_capacity(points + 32);
    for i in 0..points {
        walked.push(evaluate(i as f64 / (points - 1) as f64)?);
    }
    let ends = [walked[0], walked[points - 1]];
    let mut within = [spacing; 2];
    for (convention, within) in [Convention::Frankle, Convention::Entezari].into_iter().zip(&mut within) {
        let (at, height) = highest(&walked, |p| above(convention, p.t, loss(p), ends.map(|p| loss(&p))));
        if height.is_finite() {
            *within = refine(&mut walked, &mut evaluate, at, spacing, |p| {
                above(convention, p.t, loss(p), ends.map(|p| loss(&p)))
            })?;
        }
    }
    walked.sort_by(|a, b| a.t.total_cmp(&b.t));
    let peak = |convention, of: &dyn Fn(&Point) -> f64, t_error: f64| {
        let (t, height) = highest(&walked, |p| above(convention, p.t, of(p), ends.map(|p| of(&p))));
        Peak { height, t, t_error }
    };
    let error = |p: &Point| p.error.unwrap_or(f64::NAN);
    let graded = ends[0].error.is_some();
    let error_peak = |convention| graded.then(|| peak(convention, &error, spacing));
    Ok(Barriers {
        loss_frankle: peak(Convention::Frankle, &loss, within[0]),
        loss_entezari: peak(Convention::Entezari, &loss, within[1]),
        error_frankle: error_peak(Convention::Frankle),
        error_entezari: error_peak(Convention::Entezari),
        points: walked,
    })
}

fn loss(point: &Point) -> f64 {
    if point.loss.is_nan() { f64::INFINITY } else { point.loss }
}

/// Height at `t` above what the convention says.
fn above(convention: Convention, t: f64, value: f64, [a, b]: [f64; 2]) -> f64 {
    if !value.is_finite() {
        return f64::INFINITY;
    }
    match convention {
        Convention::Frankle => value - f64::midpoint(a, b),
        // At the ends exactly zero, whatever is rounded between.
        Convention::Entezari if t == 0.0 || t == 1.0 => 0.0,
        // In this form exact between equal ends.
        Convention::Entezari => value - (a + t * (b - a)),
    }
}

/// (t, height) of the highest place, the first of equals.
fn highest(points: &[Point], height: impl Fn(&Point) -> f64) -> (f64, f64) {
    let start = (0.0, f64::NEG_INFINITY);
    points.iter().fold(start, |best, point| {
        let here = height(point);
        if here > best.1 { (point.t, here) } else { best }
    })
}

/// Golden-section search for a maximum between the neighbours of the grid point `at`; what was looked at is added to
/// `walked`. Returns within how much of the highest the maximum lies.
fn refine<E>(
    walked: &mut Vec<Point>,
    evaluate: &mut impl FnMut(f64) -> Result<Point, E>,
    at: f64,
    spacing: f64,
    height: impl Fn(&Point) -> f64,
) -> Result<f64, E> {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = ((at - spacing).max(0.0), (at + spacing).min(1.0));
    let mut look = |t: f64| -> Result<f64, E> {
        // The other convention may have been here.
        if let Some(known) = walked.iter().find(|point| point.t == t) {
            return Ok(height(known));
        }
        let point = evaluate(t)?;
        walked.push(point);
        Ok(height(&point))
    };
    let (mut x, mut y) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_x, mut at_y) = (look(x)?, look(y)?);
    while high - low > T_ERROR {
        if at_x >= at_y {
            (high, y, at_y) = (y, x, at_x);
            x = high - golden * (high - low);
            at_x = look(x)?;
        } else {
            (low, x, at_x) = (x, y, at_y);
            y = low + golden * (high - low);
            at_y = look(y)?;
        }
    }
    Ok(high - low)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn of(loss: impl Fn(f64) -> f64, error: impl Fn(f64) -> f64) -> Barriers {
        let point = |t| Ok::<_, Infallible>(Point { t, loss: loss(t), error: Some(error(t)) });
        barriers(point, 25).unwrap()
    }

    #[test]
    fn a_hill_between_unequal_ends_is_found_in_both_conventions() {
        // f - chord = 4 h t (1 - t), highest in the middle; f itself is highest at 1/2 + s / (8 h).
        let (h, s) = (0.3, 0.7);
        let found = of(|t| 1.0 + s * t + 4.0 * h * t * (1.0 - t), |_| 0.25);
        let entezari = found.loss_entezari;
        assert!((entezari.height - h).abs() < 1e-6 && (entezari.t - 0.5).abs() <= 1.1e-3, "{entezari:?}");
        let t = 0.5 + s / (8.0 * h);
        let frankle = found.loss_frankle;
        let height = s * t + 4.0 * h * t * (1.0 - t) - s / 2.0;
        assert!((frankle.height - height).abs() < 1e-6 && (frankle.t - t).abs() <= 1.1e-3, "{frankle:?} {t}");
        assert!(entezari.t_error <= 1e-3 && frankle.t_error <= 1e-3);
        // The ends are 1 and 1 + s: above the higher is s / 2 less than above their mean.
        let higher = found.loss_above_higher_end();
        assert!((higher.height - (height - s / 2.0)).abs() < 1e-6 && higher.t == frankle.t, "{higher:?}");
        assert_eq!(found.error_above_higher_end().unwrap().height, 0.0);
        assert_eq!((found.error_entezari.unwrap().height, found.error_frankle.unwrap().height), (0.0, 0.0));
        assert!(found.points.len() > 25 && found.points.windows(2).all(|w| w[0].t < w[1].t));
    }

    #[test]
    fn a_narrow_hill_between_the_points_of_the_grid_is_climbed() {
        let peak = 0.52;
        let found = of(|t| (-((t - peak) / 0.03).powi(2)).exp(), |t| f64::from(t > 0.5) * 0.5);
        assert!((found.loss_entezari.height - 1.0).abs() < 1e-3, "{:?}", found.loss_entezari);
        assert!((found.loss_entezari.t - peak).abs() < 2e-3);
        assert!((found.error_frankle.unwrap().height - 0.25).abs() < 1e-12);
    }

    #[test]
    fn convex_losses_have_no_barrier_above_the_chord() {
        let found = of(|t| (t - 0.3).powi(2), |_| 0.0);
        assert_eq!(found.loss_entezari.height, 0.0);
        // But above the mean of the ends: 0.49 - 0.29.
        assert!((found.loss_frankle.height - 0.2).abs() < 1e-12 && found.loss_frankle.t == 1.0);
    }

    #[test]
    fn barriers_do_not_depend_on_which_end_comes_first() {
        let loss = |t: f64| (3.0 * t).sin() + t;
        let (there, back) = (of(loss, |_| 0.0), of(|t| loss(1.0 - t), |_| 0.0));
        assert!((there.loss_entezari.height - back.loss_entezari.height).abs() < 1e-6);
        assert!((there.loss_frankle.height - back.loss_frankle.height).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_finite_is_infinitely_high_and_errors_are_passed_on() {
        let found = of(|t| if t == 0.5 { f64::NAN } else { 1.0 }, |_| 0.0);
        assert_eq!((found.loss_entezari.height, found.loss_entezari.t), (f64::INFINITY, 0.5));
        assert_eq!(
            barriers(|t| if t > 0.3 { Err("no") } else { Ok(Point { t, loss: 0.0, error: None }) }, 25),
            Err("no")
        );
        let none = barriers(|t| Ok::<_, Infallible>(Point { t, loss: t, error: None }), 3).unwrap();
        assert!(none.error_frankle.is_none() && none.points.len() >= FEWEST_POINTS);
    }
}
