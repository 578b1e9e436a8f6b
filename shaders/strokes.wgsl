// Thick lines with round ends in space: the path of the iterates, the grid on floor and walls. Its twin on the CPU is
// in `app/gpu/surface_cpu.rs`.

struct Params {
    view_proj: mat4x4<f32>,
    eye: vec4<f32>,
    // Picture in pixels (x, y).
    size: vec4<f32>,
};

@group(0) @binding(0) var<uniform> params: Params;

struct Stroke {
    @location(0) a: vec3<f32>,
    // In pixels.
    @location(1) width: f32,
    @location(2) b: vec3<f32>,
    // How much of it shows through the surface.
    @location(3) hidden: f32,
    @location(4) color: vec4<f32>,
    // How far it is drawn towards the eye, so that it lies on the surface.
    @location(5) lift: f32,
};

struct Varyings {
    @builtin(position) clip: vec4<f32>,
    @location(0) pixel: vec2<f32>,
    @location(1) @interpolate(flat) ends: vec4<f32>,
    @location(2) @interpolate(flat) color: vec4<f32>,
    // Width, share that shows through.
    @location(3) @interpolate(flat) look: vec2<f32>,
};

fn lifted(point: vec3<f32>, lift: f32) -> vec4<f32> {
    let clip = params.view_proj * vec4<f32>(point + normalize(params.eye.xyz - point) * lift, 1.0);
    return vec4<f32>(clip.xyz / max(clip.w, 1e-3), clip.w);
}

fn to_pixel(ndc: vec2<f32>) -> vec2<f32> {
    return (ndc * vec2<f32>(0.5, -0.5) + 0.5) * params.size.xy;
}

@vertex
fn vs_main(@builtin(vertex_index) index: u32, stroke: Stroke) -> Varyings {
    let a = lifted(stroke.a, stroke.lift);
    let b = lifted(stroke.b, stroke.lift);
    let pa = to_pixel(a.xy);
    let pb = to_pixel(b.xy);
    let along = pb - pa;
    let extent = length(along);
    let forward = select(vec2<f32>(1.0, 0.0), along / max(extent, 1e-6), extent > 1e-6);
    let sideways = vec2<f32>(-forward.y, forward.x);
    let reach = 0.5 * stroke.width + 1.0;
    let at_b = (index & 1u) == 1u;
    let side = select(-1.0, 1.0, (index & 2u) == 2u);
    let pixel = select(pa - forward * reach, pb + forward * reach, at_b) + sideways * (side * reach);
    // Nothing behind the eye.
    let behind = a.w < 0.05 || b.w < 0.05;

    var out: Varyings;
    let ndc = (pixel / params.size.xy - 0.5) * vec2<f32>(2.0, -2.0);
    out.clip = vec4<f32>(select(ndc, vec2<f32>(-2.0), behind), select(a.z, b.z, at_b), 1.0);
    out.pixel = pixel;
    out.ends = vec4<f32>(pa, pb);
    out.color = stroke.color;
    out.look = vec2<f32>(stroke.width, stroke.hidden);
    return out;
}

// Share of the pixel that the stroke covers; `round_ends` is 0 where strokes meet and would add up.
fn coverage(in: Varyings, round_ends: bool) -> f32 {
    let along = in.ends.zw - in.ends.xy;
    let squared = dot(along, along);
    let share = select(0.0, dot(in.pixel - in.ends.xy, along) / max(squared, 1e-9), squared > 1e-9);
    let inside = round_ends || squared <= 1e-9 || (share >= 0.0 && share < 1.0);
    let near = in.ends.xy + along * clamp(share, 0.0, 1.0);
    // A line thinner than a pixel is pale rather than thin.
    let thin = min(in.look.x, 1.0);
    let cover = clamp(0.5 * max(in.look.x, 1.0) + 0.5 - distance(in.pixel, near), 0.0, 1.0) * thin;
    return select(0.0, cover, inside);
}

@fragment
fn fs_visible(in: Varyings) -> @location(0) vec4<f32> {
    return vec4<f32>(in.color.rgb, in.color.a * coverage(in, true));
}

@fragment
fn fs_hidden(in: Varyings) -> @location(0) vec4<f32> {
    return vec4<f32>(in.color.rgb, in.color.a * in.look.y * coverage(in, false));
}
