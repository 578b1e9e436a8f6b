//! Which device tensors live on.

use candle_core::Device;

use super::spec::DeviceChoice;

/// A device that was asked for and isn't there.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(
        "device {name} isn't part of this program: build it with `cargo build --release --features {name}`, or give --device cpu"
    )]
    NotBuilt { name: &'static str },
    #[error("device {name} doesn't answer: {message}; give --device cpu, or auto to take what there is")]
    NotThere { name: &'static str, message: String },
}

/// Opens the device that `choice` names; `auto` falls back to the CPU.
///
/// # Errors
/// [`DeviceError`] if CUDA or Metal was asked for by name and can't be had.
pub fn open(choice: DeviceChoice) -> Result<Device, DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda => cuda(),
        DeviceChoice::Metal => metal(),
        DeviceChoice::Auto => Ok(cuda().or_else(|_| metal()).unwrap_or(Device::Cpu)),
    }
}

fn cuda() -> Result<Device, DeviceError> {
    if !cfg!(feature = "cuda") {
        return Err(DeviceError::NotBuilt { name: "cuda" });
    }
    Device::new_cuda(0).map_err(|error| DeviceError::NotThere { name: "cuda", message: first_line(&error) })
}

fn metal() -> Result<Device, DeviceError> {
    if !cfg!(feature = "metal") {
        return Err(DeviceError::NotBuilt { name: "metal" });
    }
    Device::new_metal(0).map_err(|error| DeviceError::NotThere { name: "metal", message: first_line(&error) })
}

/// In words for the window and the recording.
pub fn title(device: &Device) -> String {
    match device {
        Device::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        Device::Cuda(_) => "CUDA device 0".into(),
        Device::Metal(_) => "Metal device 0".into(),
    }
}

/// candle's errors carry a backtrace after the first line.
pub(crate) fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_always_finds_a_device() {
        assert!(open(DeviceChoice::Auto).is_ok());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_built_in_is_named_with_the_way_out() {
        let message = open(DeviceChoice::Cuda).unwrap_err().to_string();
        assert!(message.contains("--features cuda") && message.contains("--device cpu"), "{message}");
    }
}
