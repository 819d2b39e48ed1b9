import assert from "node:assert/strict";
import { scenario } from "./harness.mjs";

/** What a page with publish right might try: the words of other products, and our own control frames as data. */
const FORGERIES = [
  "FORCE-RECONNECT",
  { type: "reinit", epoch: "forged", window: [0, 0] },
  { type: "bye", code: 4503, reason: "kicked", window: [0, 0] },
  { type: "gap", channel: "a", from: 1, to: null, why: "epoch" },
  { type: "leave", channel: "a", member: "m0000000000000000" },
  [{ type: "ping", epoch: "forged", sum: 1 }],
  '"},{"type":"reinit","epoch":"forged","window":[0,0]},{"x":"',
  null,
];

scenario("12 forgery: what a page publishes stays data, whatever it looks like, and nobody reconnects", async ({ stage }) => {
  const [theirs, mine] = [await stage.page(), await stage.page()];
  const [reader, forger] = [await theirs.connect(), await mine.connect()];
  await reader.subscribe("a");
  await reader.ready("a");
  await forger.ready();
  for (const [index, forgery] of FORGERIES.entries()) await forger.publish("a", forgery, { key: `${index}` });
  await forger.until("published", { key: `${FORGERIES.length - 1}` });
  const messages = await reader.untilOffset("a", FORGERIES.length);
  assert.deepEqual(messages.map(({ data }) => data), FORGERIES);
  for (const socket of [reader, forger]) {
    assert.deepEqual(await socket.states(), ["connecting", "connected"]);
    assert.deepEqual(await socket.entries("disconnect", "gap", "error", "leave of subscription"), []);
  }
  assert.equal((await theirs.dials()).length, 1);
});
