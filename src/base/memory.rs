//! What the allocator does with memory that was freed.

/// Bytes up to which an allocation comes from memory that the process keeps; the largest that glibc allows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_ALLOCATION: libc::c_int = 32 << 20;

/// Bytes at the end of a heap that it keeps when they are free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_FREE: libc::c_int = 256 << 20;

/// Makes glibc keep the memory of freed tensors for the next ones. Call it first thing in `main`.
///
/// A step of training frees some hundred tensors and asks for the same sizes again. Left alone, glibc gives those of more than
/// 128 KiB back to the system, which hands out fresh pages of zeros instead: half the time of a ConvNet's step went there. No
/// number depends on it; elsewhere it does nothing.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: two plain settings of the allocator, without pointers; a refusal (0) changes nothing.
    #[allow(unsafe_code, reason = "the allocator has no other switch")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_ALLOCATION);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_FREE);
    }
}
