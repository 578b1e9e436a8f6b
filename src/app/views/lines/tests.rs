use super::*;

fn plot(points: &[[f64; 2]], log: bool) -> LinePlot {
    let line = Line { label: "a".into(), points: points.to_vec(), style: LineStyle::Solid, color: 0.into() };
    LinePlot { y_log: log, lines: vec![line], x_max: 10.0, ..LinePlot::default() }
}

#[test]
fn the_range_holds_what_is_in_view_and_ignores_what_is_not_a_number() {
    let all = plot(&[[0.0, 100.0], [1.0, 2.0], [2.0, f64::NAN], [3.0, 4.0], [9.0, f64::INFINITY]], false);
    let [low, high] = y_range(&all, &[true], [0.0, 10.0], None);
    assert!(low < 2.0 && low > -10.0 && high > 100.0 && high < 110.0);
    let [low, high] = y_range(&all, &[true], [2.5, 10.0], None);
    assert!(low < 4.0 && high > 4.0 && high < 5.0, "only 4 is in view: {low} {high}");
    assert_eq!(y_range(&all, &[false], [0.0, 10.0], None), [0.0, 1.0]);
}

#[test]
fn logarithm_leaves_out_what_has_none() {
    let all = plot(&[[0.0, 0.0], [1.0, 1e-3], [2.0, -1.0], [3.0, 10.0]], true);
    let [low, high] = y_range(&all, &[true], [0.0, 10.0], None);
    assert!(low < -3.0 && low > -3.5 && high > 1.0 && high < 1.5);
    assert_eq!(items(&all, &[true], None, 1.0, &theme::DARK).len(), 2, "two single points, apart");
}

#[test]
fn a_flat_line_is_drawn_in_the_middle() {
    let [low, high] = y_range(&plot(&[[0.0, 3.0], [1.0, 3.0]], false), &[true], [0.0, 10.0], None);
    assert!((low + high - 6.0).abs() < 1e-9 && high > low);
    let [low, high] = y_range(&plot(&[[0.0, 0.0]], false), &[true], [0.0, 10.0], None);
    assert!(low < 0.0 && high > 0.0);
}

#[test]
fn a_circle_is_round_in_the_middle_of_what_is_free() {
    let free = Rect::from_min_max(pos2(10.0, 20.0), pos2(410.0, 120.0));
    let square = equally(free, [-1.0, 1.0], [-1.0, 1.0]);
    assert_eq!((square.size(), square.center()), (vec2(100.0, 100.0), free.center()));
    assert_eq!(equally(free, [0.0, 4.0], [0.0, 1.0]), free);
}

#[test]
fn nearest_point() {
    let points = [[0.0, 1.0], [10.0, 2.0], [20.0, 3.0]];
    for (x, y) in [(-5.0, 1.0), (4.0, 1.0), (6.0, 2.0), (10.0, 2.0), (99.0, 3.0)] {
        assert_eq!(nearest(&points, x).map(|p| p[1]), Some(y));
    }
    assert_eq!(nearest(&[], 1.0), None);
}
