//! Memory is asked for only after its size was looked at: headers lie.

use super::error::TaskError;

/// Most bytes that one part of a task (a file's content, a split's numbers) may take.
pub const LIMIT_BYTES: u64 = 4 << 30;

/// # Errors
/// [`TaskError::TooLarge`] if the product of `factors` passes [`LIMIT_BYTES`] (or overflows); `what` and `advice`
/// become parts of the message.
pub fn check(what: impl FnOnce() -> String, factors: &[usize], advice: &'static str) -> Result<(), TaskError> {
    let bytes = factors.iter().try_fold(1_u64, |product, &f| product.checked_mul(f as u64)).unwrap_or(u64::MAX);
    if bytes <= LIMIT_BYTES {
        return Ok(());
    }
    Err(TaskError::TooLarge { what: what(), needed_mib: bytes >> 20, limit_mib: LIMIT_BYTES >> 20, advice })
}

/// Number of training examples a generator makes: `train_size`, or its own number where that is 0.
///
/// # Errors
/// [`TaskError::TooLarge`] if they would take more than [`LIMIT_BYTES`].
pub fn generated(train_size: usize, own: usize, bytes_each: usize) -> Result<usize, TaskError> {
    let n = if train_size == 0 { own } else { train_size };
    check(|| format!("Generating {n} training examples"), &[n, bytes_each], "ask for fewer (`--train-size`)")?;
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_beyond_the_limit_and_beyond_the_integers_are_errors() {
        assert!(check(String::new, &[1 << 16, 1 << 16], "").is_ok());
        assert!(check(String::new, &[(1 << 16) + 1, 1 << 16], "").is_err());
        assert!(check(String::new, &[usize::MAX, usize::MAX, 0], "").is_err());
        assert_eq!(generated(0, 1_000, 8).unwrap(), 1_000);
        assert_eq!(generated(7, 1_000, 8).unwrap(), 7);
        let message = generated(1 << 40, 1, 8).unwrap_err().to_string();
        assert!(message.contains("8388608 MiB") && message.contains("--train-size"), "{message}");
    }
}
