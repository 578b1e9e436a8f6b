//! Every shader parses and is valid on every device, and agrees with the program about the layout of its parameters.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use landscope::app::gpu::{blit, heatmap, strokes, surface};
use naga::valid::{Capabilities, ValidationFlags, Validator};

const SHADERS: &[(&str, &str, &[&str])] = &[
    ("blit", blit::SOURCE, &["vs_main", "fs_main"]),
    ("heatmap", heatmap::SOURCE, &["vs_main", "fs_main"]),
    ("strokes", strokes::SOURCE, &["vs_main", "fs_visible", "fs_hidden"]),
    ("surface", surface::SOURCE, &["vs_main", "fs_main"]),
];

fn parse(name: &str, source: &str) -> naga::Module {
    naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)))
}

#[test]
fn shaders_are_valid_without_any_extra_capability() {
    for (name, source, entry_points) in SHADERS {
        let module = parse(name, source);
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
        let found: Vec<_> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(found, *entry_points, "{name}");
    }
}

#[test]
fn every_shader_has_its_pipeline_of_the_same_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: BTreeSet<_> = fs::read_dir(root.join("shaders"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, SHADERS.iter().map(|(name, ..)| (*name).to_owned()).collect());
    for name in files {
        assert!(root.join(format!("src/app/gpu/{name}.rs")).exists(), "{name}");
    }
}

#[test]
fn parameters_have_the_same_size_on_both_sides() {
    let sizes = [
        ("heatmap", size_of::<heatmap::Params>()),
        ("strokes", size_of::<strokes::Params>()),
        ("surface", size_of::<surface::Params>()),
    ];
    for (name, size) in sizes {
        let (_, source, _) = SHADERS.iter().find(|(shader, ..)| *shader == name).unwrap();
        let module = parse(name, source);
        let (_, params) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Params")).unwrap();
        let naga::TypeInner::Struct { span, .. } = params.inner else { panic!("{name}: Params is no structure") };
        assert_eq!(span as usize, size, "{name}");
    }
}

#[test]
fn nothing_beyond_webgl2() {
    for (name, source, _) in SHADERS {
        for word in ["var<storage", "@compute", "enable f16", "push_constant", "immediate"] {
            assert!(!source.contains(word), "{name} uses {word}");
        }
        let module = parse(name, source);
        assert!(module.global_variables.iter().count() <= 4, "{name}");
    }
}
