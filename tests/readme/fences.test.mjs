import assert from "node:assert/strict";
import { test } from "node:test";

import { examplesOf } from "./fences.mjs";

test("examples are found with their marks and the comments before them", () => {
  const text = ["Hello", "<!-- setup: let a; -->", "<!-- expect:", "a === 1", "-->", "```js run", "a = 1;", "```", "", "```text", "x", "```", ""].join("\n");
  assert.deepEqual(examplesOf(text), [
    { line: 6, language: "js", marks: ["run"], code: "a = 1;\n", setup: "let a;", expect: "a === 1" },
    { line: 10, language: "text", marks: [], code: "x\n" },
  ]);
});
