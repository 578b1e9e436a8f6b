//! Handwritten digits, built in.

use super::data::{Inputs, Split, Targets, Task};
use super::error::TaskError;
use super::spec::TaskSpec;
use super::{splits, standardise};
use crate::base::rng::Streams;

/// The form is described in `assets/README.md`.
const FILE: &[u8] = include_bytes!("../../assets/digits.bin");
const HEADER: usize = 16;
const PIXELS: usize = 64;
const CLASSES: usize = 10;

/// 1,797 pictures `[8, 8, 1]` of ten classes: 1,438 for training and 359 for testing, a fifth of each class,
/// divided the same way for every seed. Pixels have zero mean and unit variance over the training pictures
/// (before: 0 to 16, mean 4.9, standard deviation 6.0).
///
/// E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI; CC BY 4.0.
pub fn load(_spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let records = FILE[HEADER..].chunks_exact(PIXELS + 1);
    let values = records.clone().flat_map(|record| record[..PIXELS].iter().map(|&v| f32::from(v))).collect();
    let labels: Vec<u32> = records.map(|record| u32::from(record[PIXELS])).collect();
    let parts = splits::stratified(&labels, CLASSES, splits::TEST_SHARE);
    let all = Split {
        inputs: Inputs::Features { values, shape: vec![8, 8, 1] },
        targets: Targets::Classes { labels, classes: CLASSES },
    };
    let (mut train, mut test) = splits::divide(&all, &parts);
    standardise::inputs(&mut train, &mut test, 1);
    Ok(Task {
        title: "Handwritten digits".into(),
        train,
        test,
        class_names: (0..CLASSES).map(|digit| digit.to_string()).collect(),
        source: "E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning \
                 Repository, doi:10.24432/C50P49, CC BY 4.0; the copy shipped with scikit-learn"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_its_header_says() {
        assert_eq!(&FILE[..8], b"DIGITS\0\x01");
        assert_eq!(FILE[8..HEADER], [0x05, 0x07, 0, 0, 8, 0, 8, 0], "1,797 pictures of 8x8");
        assert_eq!(FILE.len(), HEADER + 1_797 * (PIXELS + 1));
        // Facts of the data set: the sum of all pixels, and the pictures of each class.
        let records = FILE[HEADER..].chunks_exact(PIXELS + 1);
        let ink: u64 = records.clone().flat_map(|r| &r[..PIXELS]).map(|&v| u64::from(v)).sum();
        assert_eq!(ink, 561_718);
        let mut counts = [0; CLASSES];
        records.for_each(|r| counts[usize::from(r[PIXELS])] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn a_fifth_of_each_class_is_held_out_and_training_pixels_are_standard() {
        let task = load(&TaskSpec::default(), &Streams::new(0)).unwrap();
        assert_eq!((task.train.len(), task.test.len()), (1_438, 359));
        assert_eq!(task, load(&TaskSpec::default(), &Streams::new(9)).unwrap(), "the division ignores the seed");
        let Inputs::Features { values, .. } = &task.train.inputs else { panic!("pictures") };
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean} {variance}");
    }
}
