// The fenced examples of a Markdown text, each with what the comments before it say.

const FENCE = /^```(\S+)[ \t]*(.*)\n([\s\S]*?)^```[ \t]*$/gm;
const COMMENT = /<!--\s*(setup|expect):\s*((?:(?!-->)[\s\S])*?)\s*-->\s*$/;

/** `[{ line, language, marks, code, setup, expect }]`, in order; `line` is that of the opening fence. */
export function examplesOf(markdown) {
  return [...markdown.matchAll(FENCE)].map((match) => {
    const [, language, marks, code] = match;
    const before = markdown.slice(0, match.index);
    return {
      line: before.split("\n").length,
      language,
      marks: marks.split(/\s+/).filter(Boolean),
      code,
      ...commentsAtTheEndOf(before),
    };
  });
}

/** `setup` and `expect` comments that stand directly before the example, in any order. */
function commentsAtTheEndOf(text) {
  const found = {};
  for (let rest = text; ; ) {
    const match = COMMENT.exec(rest);
    if (match === null) return found;
    found[match[1]] = match[2];
    rest = rest.slice(0, match.index);
  }
}
