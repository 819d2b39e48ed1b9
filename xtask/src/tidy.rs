//! Checks what prose promises and no compiler sees. Each check returns the lines that are wrong, so that one run shows all.

mod markdown;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use markdown::{Fence, anchors, fences, links, table_rows};

/// A language in the README's fences whose examples the runner in `tests/readme` knows how to prove.
const PROVABLE: [&str; 5] = ["js", "ts", "html", "sh", "toml"];
/// What an info string may say beside the language: run it, check it, or only show it.
const MARKS: [&str; 4] = ["run", "check", "list", "illustration"];
/// Where the absolute paths of one machine begin. `/tmp/` is everyone's.
const MACHINE_PATHS: [&str; 4] = ["home", "root", "Users", "work"];

pub(crate) fn check(root: &Path) -> Result<()> {
    let files = project_files(root)?;
    let mut findings = Vec::new();
    findings.extend(links_resolve(&files)?);
    findings.extend(no_machine_paths(&files));
    findings.extend(no_test_is_switched_off(&files));
    findings.extend(readme_examples_are_marked(root));
    findings.extend(protocol_matches_vectors(root)?);
    findings.extend(vectors_are_used(root, &files)?);
    findings.extend(versions_agree(root)?);
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    ensure!(findings.is_empty(), "{} to put right", findings.len());
    Ok(())
}

/// A text file of the project: its path from the root, and what it says.
struct File {
    name: String,
    path: PathBuf,
    text: String,
}

/// What git tracks or would track. Binary files are left out.
fn project_files(root: &Path) -> Result<Vec<File>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output()
        .context("tidy asks git which files belong to the project")?;
    ensure!(output.status.success(), "git ls-files failed");
    let names = String::from_utf8(output.stdout)?;
    let names: BTreeSet<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
    Ok(names
        .into_iter()
        .filter_map(|name| {
            let path = root.join(name);
            let text = fs::read_to_string(&path).ok()?;
            Some(File {
                name: name.to_owned(),
                path,
                text,
            })
        })
        .collect())
}

/// Every relative link leads to a file, and every `#anchor` to a heading of it.
fn links_resolve(files: &[File]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.name.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match path {
                "" => file.path.clone(),
                path => file
                    .path
                    .parent()
                    .context("a file has a directory")?
                    .join(path),
            };
            let at = format!("{}:{line}: the link `{target}`", file.name);
            if !path.exists() {
                findings.push(format!("{at} leads nowhere"));
            } else if !anchor.is_empty() && path.extension().is_some_and(|ending| ending == "md") {
                let text = fs::read_to_string(&path)?;
                if !anchors(&text).contains(anchor) {
                    findings.push(format!("{at} names no heading there"));
                }
            }
        }
    }
    Ok(findings)
}

fn no_machine_paths(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.name.ends_with(".lock")) {
        for (number, line) in file.text.lines().enumerate() {
            let found = MACHINE_PATHS.iter().find(|&name| {
                let prefix = format!("/{name}/");
                line.match_indices(&prefix).any(|(at, _)| {
                    // `a/home/b` and `./work/x` are relative, `https://h/home/` is a URL.
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || "._-~*{}$<>)/".contains(c))
                })
            });
            if let Some(name) = found {
                let number = number + 1;
                findings.push(format!(
                    "{}:{number}: a path of one machine (/{name}/)",
                    file.name
                ));
            }
        }
    }
    findings
}

fn no_test_is_switched_off(files: &[File]) -> Vec<String> {
    let marks = [
        "#[ignore",
        "test.only(",
        "test.skip(",
        "test.todo(",
        "it.only(",
        "describe.only(",
    ];
    let is_code = |name: &str| {
        [".rs", ".mjs", ".js", ".ts"]
            .iter()
            .any(|ending| name.ends_with(ending))
    };
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| is_code(&file.name) && !file.name.starts_with("xtask/"))
    {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(mark) = marks
                .iter()
                .find(|&mark| line.trim_start().starts_with(mark))
            {
                findings.push(format!(
                    "{}:{}: a test is switched off by `{mark}`",
                    file.name,
                    number + 1
                ));
            }
        }
    }
    findings
}

/// No example in the README escapes its runner by accident.
fn readme_examples_are_marked(root: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(root.join("README.md")) else {
        return vec!["README.md is missing".to_owned()];
    };
    fences(&text)
        .filter(|fence| PROVABLE.contains(&fence.language()) && !fence.marks().any(|mark| MARKS.contains(&mark)))
        .map(|Fence { line, info, .. }| {
            format!("README.md:{line}: the example `{info}` says neither `run`, `check`, `list` nor `illustration`")
        })
        .collect()
}

/// The tables of PROTOCOL.md and the golden vectors say the same, in the same order.
fn protocol_matches_vectors(root: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(root.join("PROTOCOL.md")).context("PROTOCOL.md")?;
    let mut findings = Vec::new();
    for (section, file, columns) in [
        (
            "Close codes",
            "codes.json",
            &["code", "action", "cause"][..],
        ),
        ("Causes", "causes.json", &["cause", "kind"]),
        ("Error codes", "errors.json", &["code", "retry"]),
    ] {
        let told: Vec<Vec<String>> = table_rows(&text, section, columns).with_context(|| {
            format!(
                "PROTOCOL.md has no table {} in § {section}",
                columns.join(", ")
            )
        })?;
        let golden: Vec<Vec<String>> = vectors(root, file)?
            .iter()
            .map(|entry| {
                columns
                    .iter()
                    .map(|&column| plain(&entry[column]))
                    .collect()
            })
            .collect();
        for row in told.iter().filter(|row| !golden.contains(row)) {
            findings.push(format!(
                "PROTOCOL.md § {section}: {} is not in protocol/vectors/{file}",
                row.join(" · ")
            ));
        }
        for row in golden.iter().filter(|row| !told.contains(row)) {
            findings.push(format!(
                "protocol/vectors/{file}: {} is not in PROTOCOL.md § {section}",
                row.join(" · ")
            ));
        }
        if findings.is_empty() && told != golden {
            findings.push(format!(
                "PROTOCOL.md § {section} and protocol/vectors/{file} differ in order"
            ));
        }
    }
    findings.extend(limits_match(root, &text)?);
    findings.extend(digests_match(root, &text)?);
    Ok(findings)
}

/// The defaults of § Limits are those in the golden `welcome`.
fn limits_match(root: &Path, text: &str) -> Result<Option<String>> {
    let told = table_rows(text, "Limits", &["limit", "default"])
        .context("PROTOCOL.md has no table limit, default in § Limits")?;
    let replies = vectors(root, "replies.json")?;
    let golden = replies
        .iter()
        .find_map(|reply| reply["meaning"][0]["limits"].as_object())
        .context("no golden welcome has limits")?;
    let golden: BTreeSet<Vec<String>> = golden
        .iter()
        .map(|(name, value)| vec![name.clone(), plain(value)])
        .collect();
    let told: BTreeSet<Vec<String>> = told.into_iter().collect();
    Ok((told != golden)
        .then(|| "PROTOCOL.md § Limits differs from the limits of the golden welcome".to_owned()))
}

fn digests_match(root: &Path, text: &str) -> Result<Vec<String>> {
    let told = table_rows(text, "Liveness and the digest", &["channels", "sum"])
        .context("PROTOCOL.md has no table of digests")?;
    let golden: Vec<Vec<String>> = vectors(root, "digests.json")?
        .iter()
        .map(|entry| {
            let names: Vec<String> = entry["channels"]
                .as_array()
                .into_iter()
                .flatten()
                .map(plain)
                .collect();
            let names = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            vec![names, plain(&entry["sum"])]
        })
        .collect();
    Ok(told
        .iter()
        .filter(|row| !golden.contains(row))
        .map(|row| {
            format!(
                "PROTOCOL.md: the digest {} is not in protocol/vectors/digests.json",
                row.join(" · ")
            )
        })
        .collect())
}

fn vectors(root: &Path, file: &str) -> Result<Vec<Value>> {
    let path = root.join("protocol/vectors").join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// A JSON scalar as a table writes it.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A golden file that no test reads proves nothing.
fn vectors_are_used(root: &Path, files: &[File]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in fs::read_dir(root.join("protocol/vectors"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".json");
        let mentioned = |file: &File| {
            let is_test = file.name.ends_with(".rs") || file.name.ends_with(".mjs");
            is_test
                && file.text.contains("vectors")
                && (file.text.contains(&name) || file.text.contains(&format!("\"{stem}\"")))
        };
        if name.ends_with(".json")
            && !files
                .iter()
                .filter(|file| !file.name.starts_with("xtask/"))
                .any(mentioned)
        {
            findings.push(format!("protocol/vectors/{name}: no test reads it"));
        }
    }
    Ok(findings)
}

/// What must be one version in several places is.
fn versions_agree(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let shipped = locked_version(root, "Cargo.lock", "wasm-bindgen")?;
    let tool = locked_version(root, "xtask/Cargo.lock", "wasm-bindgen-cli-support")?;
    if shipped != tool {
        findings.push(format!(
            "wasm-bindgen is {shipped} in Cargo.lock, and its tool {tool} in xtask/Cargo.lock"
        ));
    }
    let package: Value =
        serde_json::from_str(&fs::read_to_string(root.join("client-wasm/package.json"))?)?;
    let package = plain(&package["version"]);
    let workspace = locked_version(root, "Cargo.lock", "rejoin-client-wasm")?;
    if package != workspace {
        findings.push(format!(
            "the npm package is {package}, and the workspace {workspace}"
        ));
    }
    Ok(findings)
}

fn locked_version(root: &Path, lock: &str, package: &str) -> Result<String> {
    let text = fs::read_to_string(root.join(lock)).context(lock.to_owned())?;
    let mut lines = text
        .lines()
        .skip_while(|line| *line != format!("name = \"{package}\""));
    match lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = "))
    {
        Some(version) => Ok(version.trim_matches('"').to_owned()),
        None => bail!("{lock} does not name {package}"),
    }
}
