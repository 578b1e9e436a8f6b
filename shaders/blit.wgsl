// Puts a finished picture into the current viewport.

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var smooth_sampler: sampler;

@fragment
fn fs_main(in: Fullscreen) -> @location(0) vec4<f32> {
    return vec4<f32>(textureSampleLevel(picture, smooth_sampler, in.uv, 0.0).rgb, 1.0);
}
