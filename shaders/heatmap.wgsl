// A matrix as coloured cells. Its twin on the CPU is `app/gpu/heatmap_cpu.rs`.
//
// The cells are positions on the colour map in [0, 1], negative where there is none, in an R32Float texture: not
// filterable, so they are loaded one by one, which is also what sharp cells need.

struct Params {
    // Colours of the two kinds of stripe on missing cells.
    missing: vec4<f32>,
    stripe: vec4<f32>,
    // Picture in pixels (x, y); width of a pair of stripes in pixels (z).
    size: vec4<f32>,
    // Columns, rows.
    cells: vec4<u32>,
};

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var values: texture_2d<f32>;
@group(0) @binding(2) var table: texture_2d<f32>;
@group(0) @binding(3) var smooth_sampler: sampler;

// Cells averaged along one axis where several fall into one pixel.
const MAX_AVERAGED: i32 = 8;

@fragment
fn fs_main(in: Fullscreen) -> @location(0) vec4<f32> {
    let cells = vec2<f32>(params.cells.xy);
    let pixel = floor(in.uv * params.size.xy);
    // The cells under this pixel; row 0 is at the bottom.
    let low = vec2<f32>(pixel.x, params.size.y - 1.0 - pixel.y) * cells / params.size.xy;
    let span = cells / params.size.xy;
    let count = vec2<i32>(clamp(floor(span + 0.999), vec2<f32>(1.0), vec2<f32>(f32(MAX_AVERAGED))));
    var sum = 0.0;
    var found = 0.0;
    for (var j = 0; j < count.y; j += 1) {
        for (var i = 0; i < count.x; i += 1) {
            let share = (vec2<f32>(f32(i), f32(j)) + 0.5) / vec2<f32>(count);
            let cell = vec2<i32>(clamp(floor(low + span * share), vec2<f32>(0.0), cells - 1.0));
            let value = textureLoad(values, cell, 0).r;
            if value >= 0.0 {
                sum += value;
                found += 1.0;
            }
        }
    }
    if found == 0.0 {
        let odd = fract((pixel.x + pixel.y) / params.size.z) < 0.5;
        return vec4<f32>(select(params.missing.rgb, params.stripe.rgb, odd), 1.0);
    }
    return vec4<f32>(colormap(table, smooth_sampler, sum / found), 1.0);
}
