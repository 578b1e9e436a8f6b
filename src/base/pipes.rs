//! What happens to a program whose reader has gone.

/// Lets the program end without a word when it prints into a pipe that nobody reads any more (`landscope list | head`), as other command-line
/// programs do, instead of with a message about its own output. Not for a window: there a closed pipe is no reason to end.
pub fn end_when_nobody_reads() {
    #[cfg(unix)]
    // SAFETY: a plain system call that only resets how this process takes a signal to the system's own way.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
