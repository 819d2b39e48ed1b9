//! Builds the demo pages into the binary, if they have been built: `www/dist` becomes a table of names and contents.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let www = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../www");
    let dist = www.join("dist");
    // A path that does not exist would make every build start anew.
    for watched in [&dist, &www]
        .into_iter()
        .filter(|path| path.exists())
        .take(1)
    {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist.canonicalize()?, &mut files)?;
    }
    files.sort();
    let mut table = String::from(
        "/// The demo pages: path and content.\nstatic PAGES: &[(&str, &[u8])] = &[\n",
    );
    for (name, path) in files {
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")
            .expect("a String takes all that is written");
    }
    table.push_str("];\n");
    fs::write(
        PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("pages.rs"),
        table,
    )
}

/// Every file below `root`, by its name relative to it.
fn collect(root: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
                files.push((name.replace('\\', "/"), path));
            }
        }
    }
    Ok(())
}
