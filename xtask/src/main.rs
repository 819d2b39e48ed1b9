//! The project's own tasks, the same on a laptop and in continuous integration: `cargo xtask <task>`.
//!
//! It builds the browser module and checks what a compiler cannot. It never ships, and depends on no crate of the project.

mod ci;
mod prune;
mod shorten;
mod tidy;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask <task>

  wasm          build client-wasm and write client-wasm/pkg (the release module: small, no panic text)
  wasm --dev    the same with debug assertions, panic messages and names
  wasm --plan   say which compiler and which standard library would be used, and build nothing
  tidy          check what prose promises: links, tables, vectors, examples
  ci            cargo fmt --check, clippy and rustdoc with warnings as errors, tidy";

/// Tells the set-up script that a compiler is to be installed, apart from every other failure.
const NO_COMPILER_EXIT: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<wasm::NoCompiler>() {
                return ExitCode::from(NO_COMPILER_EXIT);
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = repository_root()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["wasm"] => wasm::build(&root, wasm::Mode::Release),
        ["wasm", "--dev"] => wasm::build(&root, wasm::Mode::Dev),
        ["wasm", "--plan"] => wasm::print_plan(),
        ["tidy"] => tidy::check(&root),
        ["ci"] => ci::check(&root),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        unknown => bail!("no task `{}`\n\n{USAGE}", unknown.join(" ")),
    }
}

/// The directory above this crate: cargo tells a program that it runs where its manifest is.
fn repository_root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("run this through cargo: `cargo xtask ...`")?;
    let root = Path::new(&manifest).parent();
    Ok(root.context("xtask lies in the repository")?.to_owned())
}

/// A cargo of the project's own workspace, free of what `cargo run` set for this program.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `command` with its output shown, and fails with `what` when it fails.
fn execute(command: &mut Command, what: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}
