//! Removes from the module and its glue what wasm-bindgen and js-sys bring along and this client can never reach.
//!
//! Each removal rests on one fact, named where it is made; wasm-opt then drops what only the removed parts kept alive.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use walrus::ir::{CallIndirect, Visitor, dfs_in_order};
use walrus::{ElementItems, ExportItem, FunctionBuilder, FunctionId, Module, TypeId};

/// Text of panics is at least this long, and no table of numbers reads as so many letters.
const SHORTEST_MESSAGE: usize = 20;

/// Returns the glue without what is removed from both. Fails when the glue does not have the shape of this wasm-bindgen.
pub(crate) fn prune(glue: &str, wasm: &mut Module) -> Result<String> {
    trap_instead_of_throwing(wasm)?;
    empty_table(wasm)?;
    prune_glue(glue)
}

/// A throw of wasm-bindgen is a panic: like every other panic of this build it becomes a trap, and its text goes.
fn trap_instead_of_throwing(wasm: &mut Module) -> Result<()> {
    let throws = wasm
        .imports
        .iter()
        .find(|import| import.name.starts_with("__wbg___wbindgen_throw"));
    if let Some(import) = throws {
        let walrus::ImportKind::Function(function) = import.kind else {
            anyhow::bail!("__wbindgen_throw is no function");
        };
        wasm.replace_imported_func(function, |(body, _)| {
            body.unreachable();
        })?;
    }
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte);
    let ids: Vec<_> = wasm.data.iter().map(walrus::Data::id).collect();
    for id in ids {
        let data = wasm.data.get_mut(id);
        for run in data.value.chunk_by_mut(|a, b| is_text(a) == is_text(b)) {
            if is_text(&run[0]) && run.len() >= SHORTEST_MESSAGE {
                run.fill(0);
            }
        }
    }
    Ok(())
}

/// Functions are in the table to be called through it: one whose type no such call has is never called. Nor are those of
/// js-sys's tasks for JavaScript promise integration: only an export that the glue does not mention makes such a task.
fn empty_table(wasm: &mut Module) -> Result<()> {
    let exported = wasm.exports.iter().any(|export| {
        matches!(export.item, ExportItem::Table(id)
        if wasm.tables.get(id).element_ty == walrus::RefType::FUNCREF)
    });
    ensure!(
        !exported,
        "the table of functions is exported: anybody could call them"
    );

    let mut calls = Calls::default();
    for (_, function) in wasm.funcs.iter_local() {
        dfs_in_order(&mut calls, function, function.entry_block());
    }
    let called: Vec<_> = calls
        .types
        .iter()
        .map(|&id| wasm.types.get(id).clone())
        .collect();
    let reachable = |id: FunctionId| {
        let function = wasm.funcs.get(id);
        let own = wasm.types.get(function.ty());
        let jspi = function
            .name
            .as_deref()
            .is_some_and(|name| name.contains("js_sys") && name.contains("jspi"));
        !jspi
            && called
                .iter()
                .any(|ty| ty.params() == own.params() && ty.results() == own.results())
    };
    let mut dead = BTreeSet::new();
    for element in wasm.elements.iter() {
        if let ElementItems::Functions(functions) = &element.items {
            dead.extend(functions.iter().copied().filter(|&id| !reachable(id)));
        }
    }
    let mut builder = FunctionBuilder::new(&mut wasm.types, &[], &[]);
    builder.func_body().unreachable();
    let trap = builder.finish(Vec::new(), &mut wasm.funcs);
    for element in wasm.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            for id in functions.iter_mut().filter(|id| dead.contains(id)) {
                *id = trap;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Calls {
    types: BTreeSet<TypeId>,
}

impl Visitor<'_> for Calls {
    fn visit_call_indirect(&mut self, call: &CallIndirect) {
        self.types.insert(call.ty);
    }
}

fn prune_glue(glue: &str) -> Result<String> {
    let mut glue = glue.to_owned();
    // The import is gone, and with it the only reader of text in the module's memory.
    let throw = glue.find("        __wbg___wbindgen_throw");
    if let Some(start) = throw {
        let end = glue[start..]
            .find("        },\n")
            .context("the glue has another shape: its throw")?;
        glue.replace_range(start..start + end + "        },\n".len(), "");
    }
    for line in [
        // Only for text in memory.
        "let cachedTextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });\ncachedTextDecoder.decode();\n",
        // Closures belong to Rust, which frees each: none is left to the garbage collector.
        "const CLOSURE_DTORS = (typeof FinalizationRegistry === 'undefined')\n    ? { register: () => {}, unregister: () => {} }\n    : new FinalizationRegistry(state => ",
        "            CLOSURE_DTORS.unregister(state);\n",
        "    CLOSURE_DTORS.register(real, state, state);\n",
    ] {
        ensure!(
            glue.contains(line),
            "the glue of this wasm-bindgen has another shape: it lacks {line}"
        );
        let end = if line.ends_with('\n') { "" } else { "\n" };
        while let Some(start) = glue.find(line) {
            let stop = start + line.len();
            let stop = stop + glue[stop..].find(end).map_or(0, |at| at + end.len());
            glue.replace_range(start..stop, "");
        }
    }
    replace_function(
        &mut glue,
        "function initSync(module) {",
        "function initSync({ module }) {\n    return __wbg_finalize_init(new WebAssembly.Instance(module, __wbg_get_imports()), module);\n}",
    )?;
    // What is called so are setTimeout with a function and close() without arguments: neither throws.
    glue = glue
        .replace("function() { return handleError(function (", "function(")
        .replace("}, arguments); },", "},");
    Ok(glue)
}

/// Replaces a function at the top level of the glue.
fn replace_function(glue: &mut String, head: &str, with: &str) -> Result<()> {
    let start = glue.find(head).with_context(|| {
        format!("the glue of this wasm-bindgen has another shape: it lacks {head}")
    })?;
    let end = glue[start..]
        .find("\n}\n")
        .context("a function without an end")?;
    glue.replace_range(start..start + end + 2, with);
    Ok(())
}
