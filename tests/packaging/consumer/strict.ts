import { connect, RejoinError } from "rejoin";
import type { Message, Socket } from "rejoin";

const socket: Socket = connect("wss://example.org/ws", {
  token: async () => "secret",
  info: { name: "Ana" },
  backoff: { base: 500, cap: 10_000 },
  connectTimeout: 5_000,
  health: false,
  outbox: "page",
  queue: { count: 10 },
});
const controller = new AbortController();
const stop: () => void = socket.on("disconnect", ({ cause, kind, willRetry, retryInMs, evidence }) => {
  const wait: number | null = retryInMs;
  const text: string = `${kind} ${cause} ${evidence.code}`;
  console.log(text, wait, willRetry);
}, { signal: controller.signal });
socket.on("gap", ({ channel, from, to, why }) => console.log(channel, from, to, why));

const chat = socket.subscribe("chat", (message: Message) => console.log(message.data, message.offset), { from: { rewind: 10 } });
export async function use(): Promise<number> {
  try {
    await chat.ready;
    const { offset } = await socket.publish("chat", { text: "hello" }, { queue: false });
    return offset;
  } catch (error) {
    if (error instanceof RejoinError && error.retryable) socket.retry();
    throw error;
  } finally {
    stop();
    chat.unsubscribe();
    socket.close();
  }
}
