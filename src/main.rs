//! Parse, dispatch, print the error, exit code.

fn main() -> std::process::ExitCode {
    landscope::base::memory::keep_freed();
    // Before any thread exists: candle reads the switch once a thread, and without it second derivatives are
    // silently wrong.
    landscope::nn::autodiff::enable_second_derivatives();
    landscope::cli::main()
}
