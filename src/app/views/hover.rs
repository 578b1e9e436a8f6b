//! The step under the pointer, for all pictures over steps at once.

use egui::{Context, Id};

#[derive(Clone, Copy)]
struct Hovered {
    by: Id,
    step: f64,
    pass: u64,
}

fn place() -> Id {
    Id::unique("hovered step")
}

/// The pointer is at this step of picture `by`.
pub fn tell(ctx: &Context, by: Id, step: f64) {
    let pass = ctx.cumulative_pass_nr();
    ctx.data_mut(|data| data.insert_temp(place(), Hovered { by, step, pass }));
}

/// The step under the pointer, in whatever picture.
pub fn hovered_step(ctx: &Context) -> Option<f64> {
    ctx.data(|data| data.get_temp(place())).map(|hovered: Hovered| hovered.step)
}

/// The step that the pointer is at in another picture than `asks`, in this frame or the last.
pub fn elsewhere(ctx: &Context, asks: Id) -> Option<f64> {
    let hovered: Hovered = ctx.data(|data| data.get_temp(place()))?;
    (hovered.by != asks && hovered.pass + 1 >= ctx.cumulative_pass_nr()).then_some(hovered.step)
}
