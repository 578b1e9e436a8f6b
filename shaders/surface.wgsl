// A lit, coloured height field with iso-lines. Its twin on the CPU is `app/gpu/surface_cpu.rs`.

struct Params {
    view_proj: mat4x4<f32>,
    eye: vec4<f32>,
    // Direction towards the light (xyz), share of light that comes from everywhere (w).
    light: vec4<f32>,
    // Number of levels (x).
    count: vec4<u32>,
    // Levels of the iso-lines on the colour map's scale, four to a vector.
    levels: array<vec4<f32>, 8>,
};

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var table: texture_2d<f32>;
@group(0) @binding(2) var smooth_sampler: sampler;

struct Varyings {
    @builtin(position) clip: vec4<f32>,
    @location(0) world: vec3<f32>,
    @location(1) normal: vec3<f32>,
    @location(2) t: f32,
};

@vertex
fn vs_main(@location(0) position: vec3<f32>, @location(1) t: f32, @location(2) normal: vec3<f32>) -> Varyings {
    var out: Varyings;
    out.clip = params.view_proj * vec4<f32>(position, 1.0);
    out.world = position;
    out.normal = normal;
    out.t = t;
    return out;
}

@fragment
fn fs_main(in: Varyings) -> @location(0) vec4<f32> {
    let slope = fwidth(in.t);
    var nearest = 10.0;
    for (var i = 0u; i < params.count.x; i += 1u) {
        nearest = min(nearest, abs(in.t - params.levels[i / 4u][i % 4u]));
    }
    // Distance to the nearest iso-line in pixels; a level plain has none.
    let ink = select(0.0, clamp(1.15 - nearest / max(slope, 1e-7), 0.0, 1.0), slope > 1e-6);

    var normal = normalize(in.normal);
    let to_eye = normalize(params.eye.xyz - in.world);
    let below = dot(normal, to_eye) < 0.0;
    normal = select(normal, -normal, below);
    let diffuse = max(dot(normal, params.light.xyz), 0.0);
    let gloss = pow(max(dot(normal, normalize(params.light.xyz + to_eye)), 0.0), 36.0);
    var color = to_linear(colormap(table, smooth_sampler, in.t));
    color = color * (params.light.w + (1.0 - params.light.w) * diffuse) * select(1.0, 0.6, below) + 0.07 * gloss;
    color = mix(color, color * 0.22, 0.75 * ink);
    return vec4<f32>(to_gamma(color), 1.0);
}
