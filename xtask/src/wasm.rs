//! Builds `client-wasm` for the browser: choose a compiler, run cargo, write the JavaScript glue.
//!
//! The smallest module needs the standard library built from source, so that its panic text and formatting can be left out.
//! Three kinds of machine are served, in this order: a rustc with its library source (rustup with `rust-src`), a Debian
//! with the packages `rustc-web` and `rust-web-src`, and a rustc with only the prebuilt target, whose module is larger.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use wasm_bindgen_cli_support::Bindgen;

use crate::{cargo, execute, shorten};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "rejoin-client-wasm";
const MODULE: &str = "rejoin_client_wasm.wasm";
/// Replaces every panic by a trap: no message, no formatting, no file and line. Unstable, so it is probed before it is used.
const IMMEDIATE_ABORT: [&str; 3] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
];
/// Where Debian's `rustc-web` puts its compiler.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Nothing on this machine can compile for the browser; the text says what to install.
#[derive(Debug)]
pub(crate) struct NoCompiler;

impl std::error::Error for NoCompiler {}

impl fmt::Display for NoCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "rustc cannot compile for the browser: it has neither the source of its standard library nor the target \
             wasm32-unknown-unknown\n  \
             with rustup:          rustup target add wasm32-unknown-unknown && rustup component add rust-src\n  \
             without (Debian 12):  apt-get update && apt-get install -y --no-install-recommends rustc-web rust-web-src \
             rust-web-llvm lld-22",
        )
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// What is published: optimised for size, panics abort at once.
    Release,
    /// For debugging: cargo's dev profile, panic messages, function names.
    Dev,
}

/// Where the standard library of the module comes from.
#[derive(Clone, Copy, PartialEq)]
enum Library {
    Source,
    Prebuilt,
}

/// A compiler able to produce the module.
struct Toolchain {
    rustc: PathBuf,
    library: Library,
    /// `None` lets rustc find the linker that came with it, as rustup's does.
    linker: Option<PathBuf>,
}

/// Writes `client-wasm/pkg`: `core.js`, `core.d.ts`, `core_bg.wasm`, `snippets/` and `variant.json`.
pub(crate) fn build(root: &Path, mode: Mode) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let immediate_abort = mode == Mode::Release
        && toolchain.library == Library::Source
        && toolchain.knows_immediate_abort()?;
    if mode == Mode::Release && !immediate_abort {
        eprintln!(
            "warning: {}; panic text stays in the module and its size is not checked",
            match toolchain.library {
                Library::Prebuilt =>
                    "the source of the standard library is not installed (rustup component add rust-src)",
                Library::Source => "this compiler does not know -Cpanic=immediate-abort",
            }
        );
    }
    let variant = match (mode, toolchain.library, immediate_abort) {
        (Mode::Dev, ..) => "dev",
        (Mode::Release, Library::Source, true) => "immediate-abort",
        (Mode::Release, Library::Source, false) => "source",
        (Mode::Release, Library::Prebuilt, _) => "prebuilt",
    };
    eprintln!("wasm: {} ({variant})", toolchain.describe());

    let input = toolchain.compile(root, mode, variant, immediate_abort)?;
    let pkg = root.join("client-wasm/pkg");
    write_glue(&input, &pkg, mode)?;
    let record = json!({
        "variant": variant,
        "rustc": toolchain.version()?,
        "libraryFromSource": toolchain.library == Library::Source,
        "immediateAbort": immediate_abort,
    });
    fs::write(pkg.join("variant.json"), format!("{record:#}\n"))?;
    Ok(())
}

/// Prints the choice that [`build`] would make, for the set-up script.
pub(crate) fn print_plan() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let word = match toolchain.library {
        Library::Source => "source",
        Library::Prebuilt => "prebuilt",
    };
    println!("{word}: {}", toolchain.describe());
    Ok(())
}

impl Toolchain {
    fn find() -> Result<Self> {
        let chosen = chosen_rustc();
        if has_source(&chosen) {
            return Self::new(chosen, Library::Source);
        }
        let debian = PathBuf::from(DEBIAN_RUSTC);
        if has_source(&debian) && linker_on_path().is_some() {
            return Self::new(debian, Library::Source);
        }
        if has_prebuilt_target(&chosen) {
            return Self::new(chosen, Library::Prebuilt);
        }
        bail!(NoCompiler)
    }

    fn new(rustc: PathBuf, library: Library) -> Result<Self> {
        let linker = if has_own_linker(&rustc) {
            None
        } else {
            let found = linker_on_path();
            ensure!(
                found.is_some(),
                "no linker for wasm: install the package lld-22 (wasm-ld-22, wasm-ld and rust-lld are looked for on PATH)"
            );
            found
        };
        Ok(Self {
            rustc,
            library,
            linker,
        })
    }

    fn describe(&self) -> String {
        let library = match self.library {
            Library::Source => "standard library from source",
            Library::Prebuilt => "prebuilt standard library",
        };
        let version = self
            .version()
            .unwrap_or_else(|_| self.rustc.display().to_string());
        format!("{version}, {library}")
    }

    fn version(&self) -> Result<String> {
        ask(&self.rustc, &["--version"]).context("rustc does not answer --version")
    }

    /// Compiles an empty crate with the flags: their names may change from one compiler to the next.
    fn knows_immediate_abort(&self) -> Result<bool> {
        let directory = tempfile_directory()?;
        let source = directory.join("probe.rs");
        fs::write(&source, "#![feature(no_core)]\n#![no_core]\n")?;
        let output = Command::new(&self.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .args([
                "--crate-type=lib",
                "--emit=metadata",
                "--target",
                TARGET,
                "--out-dir",
            ])
            .arg(&directory)
            .args(IMMEDIATE_ABORT)
            .arg(&source)
            .output()
            .with_context(|| format!("cannot start {}", self.rustc.display()))?;
        fs::remove_dir_all(&directory)?;
        Ok(output.status.success())
    }

    /// The module as cargo left it, in a target directory per set of flags: sharing one would build std again at each switch.
    fn compile(
        &self,
        root: &Path,
        mode: Mode,
        variant: &str,
        immediate_abort: bool,
    ) -> Result<PathBuf> {
        let target_directory = target_directory(root).join(format!("wasm-{variant}"));
        let profile = if mode == Mode::Dev {
            "dev"
        } else {
            "wasm-release"
        };
        let mut command = cargo(root);
        command
            .args(["build", "--package", PACKAGE, "--lib", "--target", TARGET])
            .args(["--profile", profile, "--target-dir"])
            .arg(&target_directory)
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(root, immediate_abort));
        if self.library == Library::Source {
            command
                .args(["-Z", "build-std=std,panic_abort"])
                .args(["-Z", "build-std-features=optimize_for_size"])
                .env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(linker) = &self.linker {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        execute(&mut command, "compiling client-wasm")?;
        let directory = if mode == Mode::Dev { "debug" } else { profile };
        Ok(target_directory.join(TARGET).join(directory).join(MODULE))
    }
}

/// No path of this machine gets into the module, whoever builds it.
fn rust_flags(root: &Path, immediate_abort: bool) -> OsString {
    let mut flags = vec![format!("--remap-path-prefix={}=.", root.display())];
    if let Some(home) = cargo_home() {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    if immediate_abort {
        flags.extend(IMMEDIATE_ABORT.map(String::from));
    }
    // Cargo separates encoded flags by this control character, so that a path may hold a space.
    flags.join("\u{1f}").into()
}

fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

fn target_directory(root: &Path) -> PathBuf {
    // Relative to where cargo was called, which is the root for every script of the project.
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

/// A directory of this process alone, for the probe.
fn tempfile_directory() -> Result<PathBuf> {
    let directory = std::env::temp_dir().join(format!("rejoin-xtask-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn write_glue(input: &Path, pkg: &Path, mode: Mode) -> Result<()> {
    if pkg.exists() {
        fs::remove_dir_all(pkg)?;
    }
    let release = mode == Mode::Release;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("core")
        .typescript(true)
        .debug(!release)
        .remove_name_section(false) // `prune` reads it, and leaves it out
        .remove_producers_section(true)
        .omit_default_module_path(true) // no `new URL("core_bg.wasm", import.meta.url)` in the glue
        .web(true)?;
    bindgen
        .generate(pkg)
        .context("wasm-bindgen refused the module")?;
    // It describes the raw exports, and TypeScript would take it for the type of the inlined bytes.
    let raw_types = pkg.join("core_bg.wasm.d.ts");
    if raw_types.exists() {
        fs::remove_file(raw_types)?;
    }
    if release {
        shorten::shorten_names(&pkg.join("core.js"), &pkg.join("core_bg.wasm"))?;
    }
    Ok(())
}

fn has_source(rustc: &Path) -> bool {
    sysroot(rustc).is_some_and(|root| {
        root.join("lib/rustlib/src/rust/library/Cargo.lock")
            .exists()
    })
}

/// Whether the rustc on the path, or the one chosen, can compile for the browser without more ado.
pub(crate) fn has_target() -> bool {
    has_prebuilt_target(&chosen_rustc())
}

fn chosen_rustc() -> PathBuf {
    std::env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from)
}

fn has_prebuilt_target(rustc: &Path) -> bool {
    ask(rustc, &["--print", "target-libdir", "--target", TARGET])
        .is_ok_and(|path| Path::new(&path).is_dir())
}

/// rustup's toolchains bring `rust-lld` in a place where their rustc finds it.
fn has_own_linker(rustc: &Path) -> bool {
    let directory = ask(rustc, &["--print", "target-libdir"]).ok();
    directory.is_some_and(|path| {
        let name = format!("rust-lld{}", std::env::consts::EXE_SUFFIX);
        Path::new(&path)
            .parent()
            .is_some_and(|host| host.join("bin").join(name).exists())
    })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    ask(rustc, &["--print", "sysroot"]).ok().map(PathBuf::from)
}

fn linker_on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    ["wasm-ld-22", "wasm-ld", "rust-lld"]
        .into_iter()
        .find_map(|name| {
            directories
                .iter()
                .map(|directory| directory.join(name))
                .find(|file| file.is_file())
        })
}

/// What `program` prints, without the line end.
fn ask(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "{} failed", program.display());
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
