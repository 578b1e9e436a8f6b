//! One subcommand per file.
