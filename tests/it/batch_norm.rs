//! Batch normalisation: the operation, networks with it, and what its statistics are taken of.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::operator::{Dense, LinearOperator};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::{GaussNewton, Hessian, Jacobian, Kernels, Metric, TangentKernel};
use landscope::nn::ensemble::predict;
use landscope::nn::loss::loss;
use landscope::nn::model::Model;
use landscope::nn::ops::batch_norm::{self, Moments, batch_norm, with_moments};
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use landscope::nn::params::Params;
use landscope::nn::slice::Slice;
use landscope::nn::slice::directions::Directions;
use landscope::nn::spec::{Activation, Downsample, LossKind, LossSpec, ModelKind, ModelSpec, Sharing};
use landscope::nn::statistics::{Statistics, evaluated, under};
use landscope::nn::training::{evaluate, gradient};
use landscope::tasks::data::{Inputs, Split, Targets};

use super::differences::*;

const POLICIES: [Statistics; 3] = [Statistics::Batch, Statistics::Recomputed, Statistics::Frozen];

#[test]
fn the_operation() {
    // Rows below, at and beyond those that are added up in one go.
    for (rows, width) in [(5, 3), (64, 2), (150, 9)] {
        // Shifted and stretched, so that neither mean nor variance is a trivial one.
        let x = ((draw("x", &[rows, width]) * 1.7).unwrap() + 0.8).unwrap();
        check(
            &format!("batch norm of {rows} rows"),
            &[x.clone(), draw("gain", &[width]), draw("bias", &[width])],
            &|at| batch_norm(&at[0], &at[1], &at[2]),
            &|at| batch_norm::composed(&at[0], &at[1], &at[2]),
        );
        let other = Moments::of(&draw("other", &[rows, width])).unwrap();
        let given = |at: &[Tensor]| {
            let moments = Moments {
                mean: other.mean.to_dtype(at[0].dtype())?,
                variance: other.variance.to_dtype(at[0].dtype())?,
            };
            with_moments(&at[0], &at[1], &at[2], &moments)
        };
        check("given moments", &[x, draw("gain", &[width]), draw("bias", &[width])], &given, &|at| {
            let deviation = (&other.variance + batch_norm::EPSILON)?.sqrt()?;
            let n = at[0].broadcast_sub(&other.mean)?.broadcast_div(&deviation)?;
            n.broadcast_mul(&at[1])?.broadcast_add(&at[2])
        });
    }
}

/// Smooth pictures that differ from one another in more than noise.
fn pictures(n: usize) -> Split {
    let values = (0..n * 32).map(|i| (0.9 * i as f32 + 0.2).sin() + 0.3).collect();
    let targets = Targets::Classes { labels: (0..n).map(|i| ((i * i + 1) % 3) as u32).collect(), classes: 3 };
    Split { inputs: Inputs::Features { values, shape: vec![4, 4, 2] }, targets }
}

/// A smooth network with batch normalisation.
fn spec(kind: ModelKind) -> ModelSpec {
    ModelSpec { kind, width: 3, depth: 2, batch_norm: true, residual_scale: 0.7, ..ModelSpec::default() }
}

/// Every architecture that can have it.
fn specs() -> Vec<ModelSpec> {
    let explicit = ParametrizationSpec {
        kind: Parametrization::Ntk,
        form: Form::Explicit,
        base_width: 2,
        ..ParametrizationSpec::default()
    };
    vec![
        spec(ModelKind::ConvNet),
        ModelSpec {
            downsample: Downsample::Stride,
            stages: 1,
            activation: Activation::Tanh,
            ..spec(ModelKind::ConvNet)
        },
        spec(ModelKind::ResidualConvNet),
        ModelSpec { downsample: Downsample::Stride, ..spec(ModelKind::ResidualConvNet) },
        ModelSpec { width: 5, ..spec(ModelKind::Mlp) },
        ModelSpec { width: 16, depth: 1, sharing: Sharing::Shared, ..spec(ModelKind::Mlp) },
        // Parameters that the network sees multiplied.
        ModelSpec { parametrization: explicit, ..spec(ModelKind::ConvNet) },
    ]
}

struct Case {
    model: Arc<dyn Model>,
    flat: Vec<f64>,
    batch: Batch,
    loss: LossSpec,
}

impl Case {
    /// All parameters moved off their start, so that no term vanishes by symmetry.
    fn new(spec: &ModelSpec, examples: usize) -> Self {
        let split = pictures(examples);
        let model = build(spec, &split).unwrap();
        let noise = normals(&mut Streams::new(9).stream("noise"), model.layout().total());
        let flat = model.init(&Streams::new(1)).iter().zip(noise).map(|(w, z)| w + 0.2 * z).collect();
        let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
        Self { model, flat, batch, loss: LossSpec { temperature: 1.3, ..LossSpec::default() } }
    }

    fn under(&self, statistics: Statistics, minibatch: usize) -> Arc<dyn Model> {
        under(self.model.clone(), statistics, minibatch)
    }

    fn tensors(&self, flat: &[f64]) -> Vec<Tensor> {
        self.model.layout().unflatten(flat, DType::F64, &Device::Cpu).unwrap()
    }

    fn moved(&self, direction: &[f64], by: f64) -> Vec<f64> {
        self.flat.iter().zip(direction).map(|(w, d)| w + by * d).collect()
    }

    fn direction(&self) -> Vec<f64> {
        normals(&mut Streams::new(3).stream("direction"), self.flat.len())
    }

    fn loss_of(&self, model: &dyn Model, flat: &[f64]) -> f64 {
        evaluate(model, &self.tensors(flat), &self.batch, &self.loss).unwrap().loss
    }

    fn gradient_of(&self, model: &dyn Model, flat: &[f64]) -> Vec<f64> {
        let params = Params::from_flat(self.model.layout().clone(), flat, DType::F64, &Device::Cpu).unwrap();
        let found = gradient(model, &params, &self.batch, &self.loss).unwrap();
        self.model.layout().flatten(&found.tensors).unwrap()
    }

    fn hessian_of(&self, model: &Arc<dyn Model>) -> Hessian {
        Hessian::new(model.clone(), &self.tensors(&self.flat), &self.batch, &self.loss).unwrap()
    }

    /// The function of the parameters that a policy measures, as a network: frozen statistics are those of the centre.
    fn function(&self, statistics: Statistics, minibatch: usize) -> Arc<dyn Model> {
        match statistics {
            Statistics::Frozen => evaluated(&self.model, &self.tensors(&self.flat), &self.batch.inputs).unwrap(),
            _ => self.under(statistics, minibatch),
        }
    }
}

#[test]
fn derivatives_of_every_architecture_are_central_differences() {
    for spec in specs() {
        // Minibatches of five and four: normalised over two or three numbers, units of an MLP jump from -1 to 1.
        let case = Case::new(&spec, 9);
        let point = case.tensors(&case.flat);
        for statistics in POLICIES {
            let model = case.function(statistics, 5);
            // The definition: what `loss` says of the outputs of the batch as a whole.
            let f =
                |at: &[Tensor]| loss(&model.forward(at, &case.batch.inputs, None)?, &case.batch.targets, &case.loss);
            let what = format!("{}, {statistics:?}", model.title());
            agrees_with_differences(&f, &point, &unit_direction(&point), 5e-4, 1e-7, &what);
        }
    }
}

/// Layers as `docs/CONVNETS.md` has them, in plain loops: pictures `[example][pixel][channel]`.
fn plain_convnet(case: &Case, examples: &[usize], width: usize) -> Vec<Vec<f64>> {
    let x = case.batch.inputs.features().unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let mut h: Vec<Vec<Vec<f64>>> =
        examples.iter().map(|&n| (0..16).map(|p| (0..2).map(|c| x[n * 32 + p * 2 + c]).collect()).collect()).collect();
    let names: Vec<String> = case.model.layout().infos().iter().map(|info| info.name.clone()).collect();
    let tensor = |name: &str| {
        let index = names.iter().position(|known| known == name).unwrap();
        &case.flat[case.model.layout().range(index)]
    };
    let mut side = 4;
    for layer in ["stem", "layer 1", "layer 2"] {
        if layer == "layer 2" {
            for picture in &mut h {
                let mean = |i: usize, j: usize, c: usize| {
                    let at = |di: usize, dj: usize| picture[(2 * i + di) * side + 2 * j + dj][c];
                    (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0
                };
                let half = side / 2;
                *picture =
                    (0..half * half).map(|p| (0..width).map(|c| mean(p / half, p % half, c)).collect()).collect();
            }
            side /= 2;
        }
        let (w, gain, bias) = (
            tensor(&format!("{layer}.weight")),
            tensor(&format!("{layer}.norm.gain")),
            tensor(&format!("{layer}.norm.bias")),
        );
        let channels = h[0][0].len();
        let mut z = vec![vec![vec![0.0; width]; side * side]; h.len()];
        for (picture, z) in h.iter().zip(&mut z) {
            for (p, z) in z.iter_mut().enumerate() {
                for (di, dj) in (0..3).flat_map(|di| (0..3).map(move |dj| (di, dj))) {
                    let (i, j) = (p / side + di, p % side + dj);
                    if !(1..=side).contains(&i) || !(1..=side).contains(&j) {
                        continue;
                    }
                    for c in 0..channels {
                        for (k, z) in z.iter_mut().enumerate() {
                            *z += picture[(i - 1) * side + j - 1][c] * w[((di * 3 + dj) * channels + c) * width + k];
                        }
                    }
                }
            }
        }
        for k in 0..width {
            let all: Vec<f64> = z.iter().flatten().map(|row| row[k]).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / all.len() as f64;
            for row in z.iter_mut().flatten() {
                row[k] = (gain[k] * (row[k] - mean) / (variance + 1e-5).sqrt() + bias[k]).tanh();
            }
        }
        h = z;
    }
    let (w, bias) = (tensor("output.weight"), tensor("output.bias"));
    let outputs = h.iter().map(|picture| {
        let mean: Vec<f64> =
            (0..width).map(|c| picture.iter().map(|row| row[c]).sum::<f64>() / picture.len() as f64).collect();
        (0..3).map(|o| bias[o] + (0..width).map(|c| mean[c] * w[c * 3 + o]).sum::<f64>()).collect()
    });
    outputs.collect()
}

#[test]
fn a_convnet_is_its_plain_loops() {
    let case = Case::new(&ModelSpec { activation: Activation::Tanh, ..spec(ModelKind::ConvNet) }, 6);
    let outputs =
        |model: &dyn Model| flat(&[model.forward(&case.tensors(&case.flat), &case.batch.inputs, None).unwrap()]);
    let whole = plain_convnet(&case, &[0, 1, 2, 3, 4, 5], 3).concat();
    close(&outputs(&*case.model), &whole, 1e-13, "all together");
    // Minibatches of four, the last shorter.
    let parts = [plain_convnet(&case, &[0, 1, 2, 3], 3), plain_convnet(&case, &[4, 5], 3)].concat().concat();
    close(&outputs(&*case.under(Statistics::Batch, 4)), &parts, 1e-13, "minibatches");
    assert!(distance(&whole, &parts) > 1e-3, "and these are different functions");
}

#[test]
fn shared_weights_are_a_convolution_with_batch_norm_too() {
    let shared = ModelSpec { width: 32, depth: 1, sharing: Sharing::Shared, ..spec(ModelKind::Mlp) };
    let [mlp, conv] = [shared, ModelSpec { width: 2, ..spec(ModelKind::ConvNet) }].map(|spec| Case::new(&spec, 6));
    let first = |case: &Case| {
        let mut params = case.tensors(&case.flat);
        // The layer's weight, gain and bias of the other network.
        params.splice(..3, conv.tensors(&conv.flat).into_iter().take(3));
        let mut taps = Vec::new();
        case.model.forward(&params, &case.batch.inputs, Some(&mut taps)).unwrap();
        flat(&taps[..1])
    };
    close(&first(&mlp), &first(&conv), 1e-14, "units on pixels");
}

#[test]
fn taps_are_those_of_the_minibatches_in_turn() {
    let case = Case::new(&spec(ModelKind::ResidualConvNet), 5);
    let params = case.tensors(&case.flat);
    let mut together = Vec::new();
    case.under(Statistics::Batch, 2).forward(&params, &case.batch.inputs, Some(&mut together)).unwrap();
    let parts = case.batch.parts_of(2).unwrap();
    for (layer, tap) in together.iter().enumerate() {
        let alone: Vec<Tensor> = parts
            .iter()
            .map(|part| {
                let mut taps = Vec::new();
                case.model.forward(&params, &part.batch.inputs, Some(&mut taps)).unwrap();
                taps.swap_remove(layer)
            })
            .collect();
        assert_eq!(flat(std::slice::from_ref(tap)), flat(&alone));
    }
    assert_eq!(together.len(), case.model.layers().len());
}

/// Of every tensor before a normalisation the scale is lost: `L(a W) = L(W)`, so `<dL/dW, W> = 0`, up to epsilon over the
/// variance. The weights are large, so that this is small.
#[test]
fn the_scale_of_weights_before_it_is_lost_unless_statistics_are_frozen() {
    for kind in [ModelKind::ConvNet, ModelKind::Mlp] {
        let mut case = Case::new(&ModelSpec { width: 4, ..spec(kind) }, 6);
        let layout = case.model.layout().clone();
        let before: Vec<_> = (0..layout.infos().len())
            .filter(|&i| layout.infos()[i].name.ends_with(".weight") && !layout.infos()[i].name.starts_with("output"))
            .map(|i| layout.range(i))
            .collect();
        assert_eq!(before.len(), if kind == ModelKind::Mlp { 2 } else { 3 });
        for range in &before {
            case.flat[range.clone()].iter_mut().for_each(|w| *w *= 300.0);
        }
        for statistics in POLICIES {
            let model = case.function(statistics, 4);
            let (here, slope) = (case.loss_of(&*model, &case.flat), case.gradient_of(&*model, &case.flat));
            for range in &before {
                let mut scaled = case.flat.clone();
                scaled[range.clone()].iter_mut().for_each(|w| *w *= 1.5);
                let change = (case.loss_of(&*model, &scaled) - here).abs();
                let (w, g) = (&case.flat[range.clone()], &slope[range.clone()]);
                let cosine = dot(w, g).abs() / (dot(w, w) * dot(g, g)).sqrt();
                if statistics == Statistics::Frozen {
                    assert!(change > 1e-3 && cosine > 1e-3, "{kind:?}: {change} {cosine}");
                } else {
                    assert!(change < 1e-8 && cosine < 1e-6, "{kind:?} {statistics:?}: {change} {cosine}");
                }
            }
        }
    }
}

#[test]
fn policies_agree_where_they_should_and_only_there() {
    for spec in specs() {
        let case = Case::new(&spec, 6);
        let title = case.model.title();
        let at = |statistics, minibatch| case.loss_of(&*case.under(statistics, minibatch), &case.flat);
        let recomputed = at(Statistics::Recomputed, 4);
        for other in
            [at(Statistics::Frozen, 4), at(Statistics::Batch, 6), at(Statistics::Batch, 0), at(Statistics::Batch, 9)]
        {
            assert!((other - recomputed).abs() < 1e-13, "{title}: {other} {recomputed}");
        }
        assert!((at(Statistics::Batch, 4) - recomputed).abs() > 1e-6, "{title}");
        // One minibatch after the other, each as a batch of its own.
        let parts = case.batch.parts_of(4).unwrap();
        let alone = parts.iter().map(|part| {
            part.share * evaluate(&*case.model, &case.tensors(&case.flat), &part.batch, &case.loss).unwrap().loss
        });
        assert!((at(Statistics::Batch, 4) - alone.sum::<f64>()).abs() < 1e-13, "{title}");
        // The gradient goes through the statistics, or it doesn't.
        let slope = |statistics| case.gradient_of(&*case.under(statistics, 4), &case.flat);
        let (through, past) = (slope(Statistics::Recomputed), slope(Statistics::Frozen));
        assert!(distance(&through, &past) > 1e-2 * dot(&past, &past).sqrt(), "{title}");
        close(&past, &case.gradient_of(&*case.function(Statistics::Frozen, 4), &case.flat), 1e-13, &title);
    }
}

#[test]
fn the_hessian_of_each_policy_is_that_of_its_function() {
    for spec in [spec(ModelKind::ConvNet), spec(ModelKind::ResidualConvNet), spec(ModelKind::Mlp)] {
        let case = Case::new(&spec, 6);
        let v = case.direction();
        let mut products = Vec::new();
        for statistics in POLICIES {
            let function = case.function(statistics, 4);
            let known = fourth_order(|by| case.gradient_of(&*function, &case.moved(&v, by)), 1e-4);
            let mut product = vec![0.0; v.len()];
            // As measurements have it: the policy alone, which freezes by itself.
            case.hessian_of(&case.under(statistics, 4)).apply(&v, &mut product).unwrap();
            close(&product, &known, 1e-7, &format!("{} {statistics:?}", case.model.title()));
            products.push(product);
        }
        let [batch, recomputed, frozen] = &products[..] else { panic!("three policies") };
        let size = dot(frozen, frozen).sqrt();
        assert!(distance(batch, recomputed) > 1e-3 * size && distance(recomputed, frozen) > 1e-2 * size);
    }
}

#[test]
fn jacobians_and_their_squares_follow_the_policy() {
    let mut case = Case::new(&spec(ModelKind::ConvNet), 6);
    case.loss = LossSpec { kind: LossKind::Mse, temperature: 1.0 };
    let v = case.direction();
    for statistics in POLICIES {
        let (model, function) = (case.under(statistics, 4), case.function(statistics, 4));
        let outputs = |by| {
            let params = case.tensors(&case.moved(&v, by));
            flat(&[function.forward(&params, &case.batch.inputs, None).unwrap()])
        };
        let known = fourth_order(outputs, 1e-4);
        let params = case.tensors(&case.flat);
        let mut jacobian = Jacobian::new(model.clone(), &params, &case.batch).unwrap();
        close(&jacobian.jvp(&v).unwrap(), &known, 1e-8, &format!("{statistics:?}, J v"));
        // Of the squared error, G = 2 J'J / (N C).
        let known: Vec<f64> = jacobian.vjp(&known).unwrap().iter().map(|g| g * 2.0 / 18.0).collect();
        let mut ggn = GaussNewton::new(model, &params, &case.batch, &case.loss, Metric::Ggn).unwrap();
        let mut product = vec![0.0; v.len()];
        ggn.apply(&v, &mut product).unwrap();
        close(&product, &known, 1e-8, &format!("{statistics:?}, G v"));
    }
}

#[test]
fn a_prediction_must_not_depend_on_who_else_is_asked_about() {
    let case = Case::new(&spec(ModelKind::ConvNet), 6);
    let params = case.tensors(&case.flat);
    let error = predict(&*case.model, &params, &case.batch, 1.0).err().unwrap().to_string();
    assert!(error.contains("statistics"), "{error}");
    let alone = evaluated(&case.model, &params, &case.batch.inputs).unwrap();
    let (all, _) = predict(&*alone, &params, &case.batch, 1.0).unwrap().unwrap();
    let (first, _) = predict(&*alone, &params, &case.batch.parts_of(1).unwrap()[0].batch, 1.0).unwrap().unwrap();
    close(first.rows().next().unwrap(), all.rows().next().unwrap(), 1e-13, "the first example");
}

#[test]
fn a_tangent_kernel_needs_examples_that_stand_alone() {
    let case = Case::new(&spec(ModelKind::ConvNet), 6);
    let params = case.tensors(&case.flat);
    let of = |statistics| TangentKernel::new(case.under(statistics, 4), &params, &case.batch, Kernels::Full);
    for statistics in [Statistics::Batch, Statistics::Recomputed] {
        let error = of(statistics).err().unwrap().to_string();
        assert!(error.contains("frozen") && error.contains("BatchNorm"), "{error}");
    }
    let kernel = of(Statistics::Frozen).unwrap().finish().unwrap().swap_remove(0);
    let mut jacobian = Jacobian::new(case.under(Statistics::Frozen, 4), &params, &case.batch).unwrap();
    let rows: Vec<Vec<f64>> = (0..18)
        .map(|i| jacobian.vjp(&(0..18).map(|j| f64::from(u8::from(i == j))).collect::<Vec<_>>()).unwrap())
        .collect();
    let known: Vec<f64> = rows.iter().flat_map(|a| rows.iter().map(|b| dot(a, b))).collect();
    close(kernel.values(), &known, 1e-12, "frozen");
}

#[test]
fn slices_follow_the_policy() {
    let case = Case::new(&spec(ModelKind::ResidualConvNet), 6);
    let narrow = |v: Vec<f64>| v.into_iter().map(|x| f64::from(x as f32)).collect::<Vec<f64>>();
    let (d, e) = (narrow(case.direction()), narrow(draw("e", &[case.flat.len()]).to_vec1().unwrap()));
    let unit = |v: &[f64]| v.iter().map(|x| (0.05 * x) as f32).collect::<Vec<f32>>();
    let directions = Directions { d: unit(&d), e: unit(&e) };
    let mut seen = Vec::new();
    for statistics in POLICIES {
        let function = case.function(statistics, 4);
        let model = case.under(statistics, 4);
        let centre = case.tensors(&case.flat);
        let mut slice = Slice::new(&model, &centre, &directions, &case.batch, &case.loss, 1.0, 9).unwrap();
        let far = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !slice.advance(far, &|| false).unwrap() {}
        for (row, column) in [(4, 4), (0, 0), (2, 7)] {
            let (a, b) = (slice.grid().coordinate(column), slice.grid().coordinate(row));
            let there: Vec<f64> = (0..d.len())
                .map(|i| case.flat[i] + a * f64::from(directions.d[i]) + b * f64::from(directions.e[i]))
                .collect();
            let (found, known) =
                (slice.grid().values()[row * 9 + column].unwrap().loss, case.loss_of(&*function, &there));
            assert!((found - known).abs() < 1e-12, "{statistics:?} at ({a}, {b}): {found} {known}");
        }
        seen.push(slice.grid().values()[0].unwrap().loss);
    }
    // Off the centre all three are different losses.
    assert!((seen[0] - seen[1]).abs() > 1e-4 && (seen[1] - seen[2]).abs() > 1e-4, "{seen:?}");
}

#[test]
fn threads_change_no_bit() {
    // Long enough that a batch of other networks would be halved.
    let case = Case::new(&ModelSpec { width: 8, ..spec(ModelKind::ConvNet) }, 70);
    for statistics in POLICIES {
        let model = case.under(statistics, 32);
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut product = vec![0.0; case.flat.len()];
                case.hessian_of(&model).apply(&case.direction(), &mut product).unwrap();
                let all = [product, case.gradient_of(&*model, &case.flat)].concat();
                all.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            })
        };
        let one = bits(1);
        assert_eq!(one, bits(2), "{statistics:?}");
        assert_eq!(one, bits(3), "{statistics:?}");
    }
}

#[test]
fn the_matrix_of_a_policy_is_symmetric_and_has_the_flat_directions_it_should() {
    // Scaling all of a layer's weights does nothing, and so does scaling a single filter: with its gradient zero along these,
    // g = 0 along w, differentiated: H w = -g on the filter.
    let mut case = Case::new(&ModelSpec { width: 2, depth: 1, ..spec(ModelKind::ConvNet) }, 6);
    let range = case.model.layout().range(0);
    case.flat[range.clone()].iter_mut().for_each(|w| *w *= 300.0);
    let model = case.under(Statistics::Batch, 4);
    let hessian = Dense::of(&mut case.hessian_of(&model)).unwrap();
    assert!(hessian.asymmetry() < 1e-12, "{}", hessian.asymmetry());
    let slope = case.gradient_of(&*model, &case.flat);
    for filter in 0..2 {
        let along: Vec<f64> = (0..case.flat.len())
            .map(|i| if range.contains(&i) && (i - range.start) % 2 == filter { case.flat[i] } else { 0.0 })
            .collect();
        let product: Vec<f64> =
            (0..along.len()).map(|i| (0..along.len()).map(|j| hessian.get(i, j) * along[j]).sum()).collect();
        let known: Vec<f64> = slope.iter().zip(&along).map(|(g, w)| if *w == 0.0 { 0.0 } else { -g }).collect();
        let size = dot(&known, &known).sqrt();
        let error = distance(&product[range.clone()], &known[range.clone()]);
        assert!(size > 1e-6 && error < 1e-5 * size, "{error} of {size}");
    }
}
