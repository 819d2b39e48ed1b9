//! Removes from the module and its glue what wasm-bindgen and js-sys bring along and this client can never reach.
//!
//! Each removal rests on one fact, named where it is made; wasm-opt then drops what only the removed parts kept alive.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use walrus::ir::{BinaryOp, CallIndirect, Visitor, dfs_in_order};
use walrus::{
    ElementItems, ExportItem, Function, FunctionBuilder, FunctionId, FunctionKind, Module, RefType,
    Type, TypeId, ValType,
};

/// Text of panics is at least this long, and no table of numbers reads as so many letters.
const SHORTEST_MESSAGE: usize = 20;

/// Returns the glue without what is removed from both. Fails when the glue does not have the shape of this wasm-bindgen.
pub(crate) fn prune(glue: &str, wasm: &mut Module) -> Result<String> {
    trap_instead_of_throwing(wasm)?;
    scan_for_free_places(wasm)?;
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

/// Takes out of the table what nothing can call through it, once the exports are down to those that the glue mentions. A function
/// there is called by an instruction of its own type; js-sys brings closures of dozens of types, and instructions that call them
/// only in functions that nothing calls. Its tasks for JavaScript promise integration are made by an export that is gone.
pub(crate) fn prune_table(wasm: &mut Module) -> Result<()> {
    let exported = wasm.exports.iter().any(|export| {
        matches!(export.item, ExportItem::Table(id)
            if wasm.tables.get(id).element_ty == RefType::FUNCREF)
    });
    ensure!(
        !exported,
        "the table of functions is exported: anybody could call them"
    );

    let listed: Vec<FunctionId> = wasm
        .elements
        .iter()
        .filter_map(|element| match &element.items {
            ElementItems::Functions(functions) => Some(functions.clone()),
            ElementItems::Expressions(..) => None,
        })
        .flatten()
        .collect();
    let is_jspi = |function: &Function| {
        let name = function.name.as_deref().unwrap_or_default();
        name.contains("js_sys") && name.contains("jspi")
    };

    let mut reached = Reached::default();
    for export in wasm.exports.iter() {
        if let ExportItem::Function(id) = export.item {
            reached.functions.insert(id);
        }
    }
    reached.functions.extend(wasm.start);
    let mut walked = BTreeSet::new();
    loop {
        let next: Vec<FunctionId> = reached.functions.difference(&walked).copied().collect();
        if next.is_empty() {
            break;
        }
        for id in next {
            walked.insert(id);
            if let FunctionKind::Local(function) = &wasm.funcs.get(id).kind {
                dfs_in_order(&mut reached, function, function.entry_block());
            }
        }
        let called: Vec<_> = reached.types.iter().map(|&id| wasm.types.get(id)).collect();
        reached.functions.extend(listed.iter().filter(|&&id| {
            let function = wasm.funcs.get(id);
            let own = wasm.types.get(function.ty());
            let is_called =
                |ty: &&Type| ty.params() == own.params() && ty.results() == own.results();
            !is_jspi(function) && called.iter().any(is_called)
        }));
    }

    let mut builder = FunctionBuilder::new(&mut wasm.types, &[], &[]);
    builder.func_body().unreachable();
    let trap = builder.finish(Vec::new(), &mut wasm.funcs);
    for element in wasm.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            for id in functions.iter_mut().filter(|id| !walked.contains(id)) {
                *id = trap;
            }
        }
    }
    Ok(())
}

/// What is reached from the exports: functions, and types that are called through the table.
#[derive(Default)]
struct Reached {
    functions: BTreeSet<FunctionId>,
    types: BTreeSet<TypeId>,
}

impl Visitor<'_> for Reached {
    fn visit_function_id(&mut self, function: &FunctionId) {
        self.functions.insert(*function);
    }

    fn visit_call_indirect(&mut self, call: &CallIndirect) {
        self.types.insert(call.ty);
    }
}

/// wasm-bindgen keeps a list of the free places in the table of JavaScript values, on the heap. A client holds three values (a
/// socket, a timer and its closure), a few more while it opens a socket, and none of them is ever null: so a place with null in it
/// is a free one, and looking for it is quick.
fn scan_for_free_places(wasm: &mut Module) -> Result<()> {
    /// Below are undefined, null, true and false, and the stack of borrowed values.
    const FIRST: i32 = 1028;
    const MORE: i32 = 16;
    let values = wasm
        .tables
        .iter()
        .find(|table| table.element_ty == RefType::EXTERNREF);
    let values = values.context("the module has no table of JavaScript values")?;
    ensure!(
        values.initial == FIRST as u64,
        "wasm-bindgen keeps other places of the table of JavaScript values for itself"
    );
    let values = values.id();
    let named = |wasm: &Module, name| {
        wasm.funcs
            .by_name(name)
            .with_context(|| format!("the module has no {name}"))
    };

    let allocate = named(wasm, "__externref_table_alloc")?;
    let mut builder = FunctionBuilder::new(&mut wasm.types, &[], &[ValType::I32]);
    let place = wasm.locals.add(ValType::I32);
    let mut body = builder.func_body();
    body.i32_const(FIRST).local_set(place);
    body.loop_(None, |next| {
        let again = next.id();
        next.local_get(place)
            .table_size(values)
            .binop(BinaryOp::I32GeU);
        next.if_else(
            None,
            |full| {
                full.ref_null(RefType::EXTERNREF)
                    .i32_const(MORE)
                    .table_grow(values);
                full.i32_const(0).binop(BinaryOp::I32LtS).if_else(
                    None,
                    |failed| {
                        failed.unreachable();
                    },
                    |_| {},
                );
            },
            |_| {},
        );
        next.local_get(place)
            .table_get(values)
            .ref_is_null()
            .if_else(
                None,
                |free| {
                    free.local_get(place).return_();
                },
                |_| {},
            );
        next.local_get(place)
            .i32_const(1)
            .binop(BinaryOp::I32Add)
            .local_set(place)
            .br(again);
    });
    body.unreachable();
    wasm.funcs.get_mut(allocate).kind = FunctionKind::Local(builder.local_func(Vec::new()));

    let free = named(wasm, "__externref_table_dealloc")?;
    let mut builder = FunctionBuilder::new(&mut wasm.types, &[ValType::I32], &[]);
    let place = wasm.locals.add(ValType::I32);
    builder
        .func_body()
        .local_get(place)
        .i32_const(FIRST)
        .binop(BinaryOp::I32GeU)
        .if_else(
            None,
            |own| {
                own.local_get(place)
                    .ref_null(RefType::EXTERNREF)
                    .table_set(values);
            },
            |_| {},
        );
    wasm.funcs.get_mut(free).kind = FunctionKind::Local(builder.local_func(vec![place]));
    Ok(())
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
