import assert from "node:assert/strict";
import { numbered, scenario } from "./harness.mjs";

scenario("28 a listener throws: the next one runs, the position is right, the client goes on", async ({ stage }) => {
  const page = await stage.page();
  page.expectedErrors.push(/throws/);
  const socket = await page.connect();
  await socket.subscribe("a", { key: "bad", throws: true });
  await socket.subscribe("a", { key: "good" });
  await socket.subscribe("b");
  await socket.evaluate((recording) => {
    for (const event of ["state", "disconnect", "reconnect"]) recording.socket.on(event, () => { throw new Error(`on ${event} throws`); });
    recording.socket.on("reconnect", () => recording.add("after the throwing one", {}));
  });
  await socket.ready("bad", "good", "b");
  const peer = await stage.peer();
  await peer.publishAll("a", numbered(1, 5));
  await socket.untilOffset("good", 5);
  await socket.untilOffset("b", await peer.publish("b", { fine: true }));

  await page.during(() => stage.proxy.cut());
  await socket.until("disconnect");
  await peer.publishAll("a", numbered(6, 10));
  stage.proxy.restore();
  await socket.until("after the throwing one");
  for (const key of ["bad", "good"]) {
    const messages = await socket.untilOffset(key, 10);
    assert.deepEqual(messages.map(({ data }) => data.n), numbered(1, 10).map(({ n }) => n), `${key}: each once, although one throws`);
  }
  const { detail } = await socket.until("reconnect");
  assert.equal(detail.recovered, 5, "the position had advanced before the listener ran");
  await socket.publish("a", { n: 11 }, { key: "after" });
  await socket.until("published", { key: "after" });
  assert.equal(await socket.state(), "connected");
  assert.ok([...page.uncaught, ...page.consoleErrors].some((text) => text.includes("listener bad throws")), "the page's own mistake is not swallowed either");
});
