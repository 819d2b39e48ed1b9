//! The checks that need no test run: format, lints, documentation, prose.

use std::path::Path;

use anyhow::Result;

use crate::{cargo, execute, tidy};

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
