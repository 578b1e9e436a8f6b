//! The one decision about tests that need a graphics adapter.

use egui_wgpu::RenderState;

/// A headless device, a software one if there is one. Without any adapter the calling test is skipped with a message,
/// unless `LANDSCOPE_REQUIRE_ADAPTER` is set (as in CI): then it fails.
pub fn render_state() -> Option<RenderState> {
    let setup = egui_kittest::wgpu::default_wgpu_setup();
    let instance = pollster::block_on(setup.new_instance());
    let config = egui_wgpu::WgpuConfiguration { wgpu_setup: setup, ..egui_wgpu::WgpuConfiguration::default() };
    let options = egui_wgpu::RendererOptions::PREDICTABLE;
    match pollster::block_on(RenderState::create(&config, &instance, None, options)) {
        Ok(state) => Some(state),
        Err(error) => {
            let message = format!("skipped: no graphics adapter ({error}); Debian has one in mesa-vulkan-drivers");
            assert!(std::env::var_os("LANDSCOPE_REQUIRE_ADAPTER").is_none(), "{message}");
            eprintln!("{message}");
            None
        }
    }
}
