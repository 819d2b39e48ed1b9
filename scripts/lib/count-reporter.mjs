// A reporter of `node --test` beside the readable one: counts tests (not suites) and writes `{"passed":N,"failed":N}`.

export default async function* countReporter(source) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of source) {
    if (data?.details?.type === "suite" || data?.skip !== undefined || data?.todo !== undefined) continue;
    if (type === "test:pass") passed += 1;
    if (type === "test:fail") failed += 1;
  }
  yield JSON.stringify({ passed, failed });
}
