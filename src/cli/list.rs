//! `landscope list`: what there is.

use clap::{ArgMatches, Command};

use crate::labs::LABS;
use crate::plots::pane::PANES;
use crate::probes::registry::PROBES;
use crate::run::knobs::{self, Group, KnobKind};

pub fn command() -> Command {
    Command::new("list").about("Tasks, models, knobs, probes and panes")
}

pub fn run(_matches: &ArgMatches) -> anyhow::Result<()> {
    for id in ["task", "model", "parametrization", "optimizer", "schedule"] {
        if let Some(knob) = knobs::find(id)
            && let KnobKind::Choice(options) = knob.kind
        {
            println!("{} (--{id})", knob.label);
            for (name, title) in options {
                println!("  {name:20} {title}");
            }
            println!();
        }
    }
    println!("Knobs (a dot marks the live ones)");
    for group in Group::ALL {
        for knob in knobs::all().filter(|knob| knob.group == group) {
            let live = if knob.is_live() { '•' } else { ' ' };
            let (flag, title) = (format!("--{}", knob.id), group.title());
            println!("{live} {flag:22} {title:10} {} Takes {}", knob.definition, knob.allowed());
        }
    }
    println!("\nLabs (landscope lab NAME)");
    for lab in LABS {
        println!("  {:20} {}. {}", lab.id(), lab.title(), lab.about());
    }
    println!("\nProbes");
    for probe in PROBES {
        println!("  {:20} {} Costs {}", probe.id, probe.title, probe.cost);
    }
    println!("\nPanes");
    for (index, pane) in PANES.iter().enumerate() {
        println!("  {} {:18} {}", index + 1, pane.slug, pane.title);
    }
    Ok(())
}
