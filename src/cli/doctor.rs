//! `landscope doctor`: what this machine has, and whether the derivatives are right on it.

use clap::{ArgMatches, Command};

use crate::app;
use crate::nn::autodiff;
use crate::run::device;
use crate::run::spec::DeviceChoice;

pub fn command() -> Command {
    Command::new("doctor").about("Devices, graphics adapters, versions, and a self-test of the derivative products")
}

pub fn run(_matches: &ArgMatches) -> anyhow::Result<()> {
    println!("landscope {}", env!("CARGO_PKG_VERSION"));
    println!("system: {} on {}", std::env::consts::OS, std::env::consts::ARCH);
    println!("\nDevices");
    for (name, choice) in [("cpu", DeviceChoice::Cpu), ("cuda", DeviceChoice::Cuda), ("metal", DeviceChoice::Metal)] {
        match device::open(choice) {
            Ok(device) => println!("  {name:6} ready: {}", device::title(&device)),
            Err(error) => println!("  {name:6} no: {error}"),
        }
    }
    println!("\nGraphics adapters");
    let adapters = app::adapters();
    if adapters.is_empty() {
        println!(
            "  none; a window or a screenshot needs one (Debian, in software: apt-get install mesa-vulkan-drivers libvulkan1)"
        );
    }
    for adapter in adapters {
        println!("  {adapter}");
    }
    match app::display() {
        Ok(()) => println!("  a display is there"),
        Err(error) => println!("  {error}"),
    }
    println!("\nDerivative products (Hessian-vector products against a known Hessian)");
    let report = autodiff::self_test()?;
    println!(
        "  gradient: relative error {:.1e}; product: {:.1e}; allowed {:.0e}",
        report.gradient_error, report.hvp_error, report.tolerance
    );
    Ok(())
}
