// Colour maps, and the two encodings of a colour. The target is gamma-encoded, as egui's is; light adds up linearly.

// Entries of a colour map; `plots::colormap::LEVELS`.
const COLORMAP_LEVELS: f32 = 256.0;

fn colormap(table: texture_2d<f32>, smooth_sampler: sampler, t: f32) -> vec3<f32> {
    let at = (clamp(t, 0.0, 1.0) * (COLORMAP_LEVELS - 1.0) + 0.5) / COLORMAP_LEVELS;
    return textureSampleLevel(table, smooth_sampler, vec2<f32>(at, 0.5), 0.0).rgb;
}

fn to_linear(color: vec3<f32>) -> vec3<f32> {
    return pow(color, vec3<f32>(2.2));
}

fn to_gamma(color: vec3<f32>) -> vec3<f32> {
    return pow(clamp(color, vec3<f32>(0.0), vec3<f32>(1.0)), vec3<f32>(1.0 / 2.2));
}
