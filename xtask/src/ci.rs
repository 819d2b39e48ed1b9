//! The checks that need no test run: format, lints, documentation, prose.

use std::path::Path;

use anyhow::Result;

use crate::{cargo, execute, tidy, wasm};

/// Stops at the first check that fails, the quickest ones first.
pub(crate) fn check(root: &Path) -> Result<()> {
    let own = root.join("xtask/Cargo.toml");
    execute(cargo(root).args(["fmt", "--all", "--check"]), "cargo fmt")?;
    execute(
        cargo(root)
            .args(["fmt", "--check", "--manifest-path"])
            .arg(own),
        "cargo fmt (xtask)",
    )?;
    tidy::check(root)?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    execute(cargo(root).args(clippy), "cargo clippy")?;
    check_browser_crate(root)?;
    let doc = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    execute(
        cargo(root).args(doc).env("RUSTDOCFLAGS", "-D warnings"),
        "cargo doc",
    )
}

/// `client-wasm` is empty on every other target, and has two faces.
fn check_browser_crate(root: &Path) -> Result<()> {
    if !wasm::has_target() {
        eprintln!(
            "note: client-wasm is not linted: rustup target add {}",
            wasm::TARGET
        );
        return Ok(());
    }
    for face in ["npm", "typed"] {
        let mut command = cargo(root);
        command
            .args([
                "clippy",
                "--package",
                "rejoin-client-wasm",
                "--target",
                wasm::TARGET,
            ])
            .args([
                "--no-default-features",
                "--features",
                face,
                "--",
                "-D",
                "warnings",
            ]);
        execute(&mut command, "cargo clippy (client-wasm)")?;
    }
    Ok(())
}
