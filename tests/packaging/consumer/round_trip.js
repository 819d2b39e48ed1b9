// What every environment is asked to do: connect, subscribe, publish, receive. Resolves to what came back, or to the code of the error.

export async function roundTrip(connect, url, options = {}) {
  let socket;
  try {
    socket = connect(url, options);
    const failed = new Promise((_, reject) => socket.on("error", reject));
    const received = new Promise((resolve) => socket.subscribe("packaging", resolve));
    const { offset } = await Promise.race([socket.publish("packaging", { text: "hello" }), failed]);
    const message = await Promise.race([received, failed]);
    return { data: message.data, sameOffset: message.offset === offset, own: message.from === socket.member };
  } catch (error) {
    return { error: error.code ?? String(error), explained: error.message };
  } finally {
    socket?.close();
  }
}
