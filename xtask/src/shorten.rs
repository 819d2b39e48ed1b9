//! Shortens the names that the glue and the module use for each other.
//!
//! wasm-bindgen names an import like `__wbg_setTimeout_a60d83bec06b4345`, once in the module and once in the glue, and a hash
//! does not compress: for a module of this size the names are a tenth of what a page loads. Functions of a snippet join the one
//! object of imports, so that a bundler sees plain functions instead of a module namespace. Exports that the glue never mentions
//! are removed; wasm-opt then drops what only they kept alive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use walrus::{ImportId, Module, ModuleConfig};

use crate::prune::{prune, prune_table};

/// The name under which wasm-bindgen's own imports stand, and what replaces it.
const GLUE_MODULE: &str = "./core_bg.js";
const SHORT_MODULE: &str = "a";
/// The lines in the glue that open and close the object of imports.
const IMPORTS_OPEN: &str = "    const import0 = {\n        __proto__: null,\n";
const IMPORTS_CLOSE: &str = "    };\n    return {\n        __proto__: null,\n";

/// Exports that the package's own JavaScript calls, without the glue: src/js.rs of client-wasm.
const OWN_EXPORTS: [&str; 2] = ["create", "input"];

/// Rewrites both files in place. Fails when the glue does not have the shape of this wasm-bindgen.
pub(crate) fn shorten_names(glue: &Path, module: &Path) -> Result<()> {
    let text = fs::read_to_string(glue)?;
    let mut wasm = ModuleConfig::new()
        .generate_producers_section(false)
        .generate_name_section(false)
        .parse_file(module)
        .context("the module that wasm-bindgen wrote does not parse")?;
    let text = prune(&text, &mut wasm)?;
    let text = shorten_imports(&text, &mut wasm)?;
    let text = shorten_exports(&text, &mut wasm)?;
    prune_table(&mut wasm)?;
    walrus::passes::gc::run(&mut wasm);
    fs::write(glue, text)?;
    wasm.emit_wasm_file(module)
}

fn shorten_imports(glue: &str, wasm: &mut Module) -> Result<String> {
    let unknown_shape =
        || anyhow!("the glue of this wasm-bindgen has another shape: see xtask/src/shorten.rs");
    let (head, rest) = glue.split_once(IMPORTS_OPEN).ok_or_else(unknown_shape)?;
    let (object, rest) = rest.split_once(IMPORTS_CLOSE).ok_or_else(unknown_shape)?;
    let (_modules, tail) = rest.split_once("    };\n").ok_or_else(unknown_shape)?;

    let mut object = object.to_owned();
    let mut snippets = String::new();
    let mut names = ShortNames::default();
    let ids: Vec<ImportId> = wasm.imports.iter().map(|import| import.id()).collect();
    for id in ids {
        let import = wasm.imports.get_mut(id);
        let known = names.of(&import.module, &import.name);
        let short = known.name;
        if !known.is_new {
            // The module may import one function twice; the glue has it once.
        } else if import.module == GLUE_MODULE {
            let entry = format!("        {}: function(", import.name);
            ensure!(
                object.matches(&entry).count() == 1,
                "the glue does not define {} once",
                import.name
            );
            object = object.replace(&entry, &format!("        {short}: function("));
        } else {
            let (name, from) = (&import.name, &import.module);
            snippets += &format!("import {{ {name} as snippet_{short} }} from \"{from}\"\n");
            object += &format!("        {short}: snippet_{short},\n");
        }
        import.module = SHORT_MODULE.to_owned();
        import.name = short;
    }

    // The namespaces of the snippets have no reader left.
    let head: String = head
        .lines()
        .filter(|line| !line.starts_with("import * as import"))
        .map(|line| format!("{line}\n"))
        .collect();
    Ok(format!(
        "{snippets}{head}{IMPORTS_OPEN}{object}{IMPORTS_CLOSE}        {SHORT_MODULE}: import0,\n    }};\n{tail}"
    ))
}

fn shorten_exports(glue: &str, wasm: &mut Module) -> Result<String> {
    let mut names = ShortNames::default();
    let text = replace_properties(glue, "wasm.", |name| names.of("", name).name);
    let exports: Vec<_> = wasm.exports.iter().map(|export| export.id()).collect();
    let mut found = 0;
    for id in exports {
        let export = wasm.exports.get_mut(id);
        if OWN_EXPORTS.contains(&export.name.as_str()) {
            continue;
        }
        let known = names.of("", &export.name);
        if known.is_new {
            wasm.exports.delete(id);
        } else {
            export.name = known.name;
            found += 1;
        }
    }
    ensure!(found > 0, "the glue mentions no export of the module");
    Ok(text)
}

/// Every identifier that follows `object` (a name with its dot), replaced by what `rename` makes of it.
fn replace_properties(text: &str, object: &str, mut rename: impl FnMut(&str) -> String) -> String {
    let is_identifier = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut output = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(object) {
        let (before, after) = rest.split_at(at);
        let after = &after[object.len()..];
        let end = after.find(|c| !is_identifier(c)).unwrap_or(after.len());
        let starts_word = !before.ends_with(is_identifier);
        output += before;
        output += object;
        if starts_word && end > 0 {
            output += &rename(&after[..end]);
        } else {
            output += &after[..end];
        }
        rest = &after[end..];
    }
    output + rest
}

/// `a`, `b`, ... `z`, `aa`, ...: one for each pair of module and name, in the order of asking.
#[derive(Default)]
struct ShortNames {
    given: BTreeMap<(String, String), String>,
}

struct ShortName {
    name: String,
    is_new: bool,
}

impl ShortNames {
    fn of(&mut self, module: &str, name: &str) -> ShortName {
        let key = (module.to_owned(), name.to_owned());
        if let Some(name) = self.given.get(&key) {
            return ShortName {
                name: name.clone(),
                is_new: false,
            };
        }
        let name = letters(self.given.len());
        self.given.insert(key, name.clone());
        ShortName { name, is_new: true }
    }
}

fn letters(mut index: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'a' + (index % 26) as u8));
        if index < 26 {
            return name;
        }
        index = index / 26 - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_run_on_after_z() {
        assert_eq!(
            ["a", "z", "aa", "az", "ba"],
            [0, 25, 26, 51, 52]
                .map(letters)
                .each_ref()
                .map(String::as_str)
        );
    }

    #[test]
    fn only_properties_of_the_object_are_renamed() {
        let text = "wasm.memory.buffer + other_wasm.memory + wasm = wasm.start(wasm.memory)";
        let renamed = replace_properties(text, "wasm.", |name| name.to_uppercase());
        assert_eq!(
            renamed,
            "wasm.MEMORY.buffer + other_wasm.memory + wasm = wasm.START(wasm.MEMORY)"
        );
    }
}
