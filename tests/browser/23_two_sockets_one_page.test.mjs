import assert from "node:assert/strict";
import { OPTIONS, scenario } from "./harness.mjs";

scenario("23 two sockets, one page, two servers, under a strict policy: one is killed, only its own changes", async ({ stage }) => {
  const other = await stage.another();
  const page = await stage.page({ query: { csp: "wasm", sockets: [
    { name: "one", url: stage.url, options: OPTIONS, channels: ["a"], banner: true },
    { name: "two", url: other.url, options: OPTIONS, channels: ["a"], banner: true },
  ] } });
  const [one, two] = [page.socket("one"), page.socket("two")];
  await one.ready("a");
  await two.ready("a");
  const globals = await page.evaluate(() => Object.keys(globalThis).filter((name) => /rejoin|wasm|__wbg/i.test(name)));
  assert.deepEqual(globals, [], "nothing is put on window");

  await other.server.kill();
  await two.until("cause", { cause: "unreachable" });
  const peer = await stage.peer();
  await one.untilOffset("a", await peer.publish("a", { n: 1 }));
  assert.deepEqual(await one.states(), ["connecting", "connected"]);
  assert.deepEqual(await two.states(), ["connecting", "connected", "reconnecting"]);
  assert.deepEqual(await two.messages("a"), [], "the other's messages");
  await other.server.start();
  await two.until("reconnect");
  assert.deepEqual(await one.states(), ["connecting", "connected"]);
  assert.deepEqual(await one.entries("disconnect", "reconnect", "cause", "gap", "error"), []);
  await one.close();
  assert.equal(await two.state(), "connected");

  const { violations } = await page.spies();
  assert.deepEqual(violations, [], "violations of the policy");
});
