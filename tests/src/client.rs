//! A raw client of `rejoin.v1.json`, written from PROTOCOL.md alone.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::{Server, within};

/// The subprotocol of this version.
pub const SUBPROTOCOL: &str = "rejoin.v1.json";

/// A WebSocket with nothing on top of it.
pub type Socket = WebSocketStream<TcpStream>;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The close code; 1005 for a close without, 1006 for an end without a close.
    pub code: u16,
    /// The reason, for people.
    pub reason: String,
}

/// Opens a socket with the right subprotocol and sends nothing.
///
/// # Panics
/// When the server refuses.
pub async fn dial(server: SocketAddr) -> Socket {
    dial_with(server, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)])
        .await
        .expect("the server accepts the handshake")
}

/// Opens a socket with these headers besides those of the handshake itself.
///
/// # Errors
/// What the handshake met; an HTTP answer other than 101 is [`Error::Http`].
pub async fn dial_with(server: SocketAddr, headers: &[(&str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{server}/ws").into_client_request()?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a test's header name");
        let value = HeaderValue::from_str(value).expect("a test's header value");
        request.headers_mut().append(name, value);
    }
    within("the handshake", async {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(client_async(request, stream).await?.0)
    })
    .await
}

/// A connection. A task of its own reads it, so that pings are answered while the test looks elsewhere.
///
/// What arrives is taken in order: batches are opened, pings are kept apart ([`Client::ping`]).
#[derive(Debug)]
pub struct Client {
    outgoing: mpsc::UnboundedSender<Message>,
    incoming: mpsc::UnboundedReceiver<Event>,
    waiting: VecDeque<Value>,
    pings: VecDeque<Value>,
    closed: Option<Closed>,
    next_id: u64,
}

#[derive(Debug)]
enum Event {
    Object(Value),
    Closed(Closed),
}

impl Client {
    /// Drives `socket`. With `pongs` false it never answers a ping.
    pub fn on(socket: Socket, pongs: bool) -> Self {
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let (events, incoming) = mpsc::unbounded_channel();
        tokio::spawn(drive(socket, to_send, events, pongs));
        Self {
            outgoing,
            incoming,
            waiting: VecDeque::new(),
            pings: VecDeque::new(),
            closed: None,
            next_id: 1,
        }
    }

    /// Opens a connection and sends nothing.
    pub async fn dial(server: &Server) -> Self {
        Self::on(dial(server.address()).await, true)
    }

    /// Connects with this `hello` (`type` is added) and returns the `welcome` too.
    ///
    /// # Panics
    /// When the answer is another.
    pub async fn hello(server: &Server, hello: Value) -> (Self, Value) {
        let mut client = Self::dial(server).await;
        client.send(with(hello, "type", json!("hello")));
        let welcome = client.expect("welcome").await;
        (client, welcome)
    }

    /// Connects as `name`, which is its `client` and its `producer`, subscribed to `channels` from now on.
    pub async fn connect(server: &Server, name: &str, channels: &[&str]) -> Self {
        let channels: Vec<_> = channels.iter().map(|c| json!({"channel": c})).collect();
        let hello = json!({"client": name, "producer": name, "channels": channels});
        Self::hello(server, hello).await.0
    }

    /// Sends one frame.
    pub fn send(&self, frame: Value) {
        self.send_message(Message::text(frame.to_string()));
    }

    /// Sends any WebSocket message.
    pub fn send_message(&self, message: Message) {
        // A closed connection is seen by whoever reads next.
        let _ = self.outgoing.send(message);
    }

    /// Sends a command (`id` is added) and returns its answer, `ok` or `error`. What comes before it stays in line.
    pub async fn ask(&mut self, command: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(with(command, "id", json!(id)));
        self.answer(id).await
    }

    /// Like [`Client::ask`].
    ///
    /// # Panics
    /// When the answer is an `error`.
    pub async fn ok(&mut self, command: Value) -> Value {
        let answer = self.ask(command.clone()).await;
        assert_eq!(answer["type"], "ok", "{command} was answered by {answer}");
        answer
    }

    /// Like [`Client::ask`], and returns the error's code.
    ///
    /// # Panics
    /// When the answer is `ok`.
    pub async fn error(&mut self, command: Value) -> String {
        let answer = self.ask(command.clone()).await;
        assert_eq!(
            answer["type"], "error",
            "{command} was answered by {answer}"
        );
        answer["code"]
            .as_str()
            .expect("an error has a code")
            .to_owned()
    }

    /// The answer to `id`. What comes before it stays in line.
    pub async fn answer(&mut self, id: u64) -> Value {
        self.take(&format!("the answer to {id}"), |object| {
            matches!(object["type"].as_str(), Some("ok" | "error")) && object["id"] == id
        })
        .await
    }

    /// Publishes `data` and returns the offset.
    pub async fn publish(&mut self, channel: &str, data: Value) -> u64 {
        let ok = self
            .ok(json!({"type": "publish", "channel": channel, "data": data}))
            .await;
        ok["offset"].as_u64().expect("an offset")
    }

    /// The next object, whatever it is, pings excepted.
    ///
    /// # Panics
    /// When the connection ends first.
    pub async fn next(&mut self) -> Value {
        self.take("the next frame", |_| true).await
    }

    /// The next object, which must be of this type.
    ///
    /// # Panics
    /// When it is of another, or the connection ends first.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let what = format!("`{kind}`");
        let object = self.take(&what, |_| true).await;
        assert_eq!(object["type"], kind, "expected {what}, got {object}");
        object
    }

    /// The first object in line that `wanted` accepts; the others stay in line.
    ///
    /// # Panics
    /// When the connection ends first, or it does not come in time.
    pub async fn take(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut from = 0;
        loop {
            if let Some(at) = self.waiting.range(from..).position(&wanted) {
                return self
                    .waiting
                    .remove(from + at)
                    .expect("it was there just now");
            }
            from = self.waiting.len();
            assert!(
                self.closed.is_none(),
                "closed ({:?}) before {what} came; in line: {:?}",
                self.closed,
                self.waiting
            );
            self.receive(what).await;
        }
    }

    /// The server's next ping: the oldest one not yet looked at.
    pub async fn ping(&mut self) -> Value {
        while self.pings.is_empty() {
            assert!(
                self.closed.is_none(),
                "closed before a ping: {:?}",
                self.closed
            );
            self.receive("a ping").await;
        }
        self.pings.pop_front().expect("there is one")
    }

    /// The first ping that `wanted` accepts; forgets those before it.
    pub async fn ping_with(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let ping = self.ping().await;
            if wanted(&ping) {
                return ping;
            }
        }
    }

    /// The next `count` objects, all of them messages of `channel`: their offsets and data.
    pub async fn messages(&mut self, channel: &str, count: usize) -> Vec<(u64, Value)> {
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            let message = self.expect("message").await;
            assert_eq!(message["channel"], channel, "{message}");
            let offset = message["offset"].as_u64().expect("an offset");
            messages.push((offset, message["data"].clone()));
        }
        messages
    }

    /// The end of the connection. What came before it stays in line.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Some(closed) = &self.closed {
                return closed.clone();
            }
            self.receive("the close").await;
        }
    }

    /// Asserts that nothing is in line: everything the server sent before it answered this probe has been taken.
    pub async fn nothing_more(&mut self) {
        self.ok(json!({"type": "ping"})).await;
        assert!(self.waiting.is_empty(), "unexpected: {:?}", self.waiting);
    }

    /// Ends the TCP connection at once, without a close or a `bye`.
    pub fn cut(self) {}

    async fn receive(&mut self, what: &str) {
        match within(what, self.incoming.recv()).await {
            Some(Event::Object(object)) if object["type"] == "ping" => self.pings.push_back(object),
            Some(Event::Object(object)) => self.waiting.push_back(object),
            Some(Event::Closed(closed)) => self.closed = Some(closed),
            None => unreachable!("the reader tells of the end before it goes"),
        }
    }
}

/// `object` with one more member.
fn with(mut object: Value, key: &str, value: Value) -> Value {
    object
        .as_object_mut()
        .expect("a frame is an object")
        .insert(key.to_owned(), value);
    object
}

/// Reads and writes until the connection ends or its [`Client`] is dropped, which drops the socket as it is.
async fn drive(
    mut socket: Socket,
    mut to_send: mpsc::UnboundedReceiver<Message>,
    events: mpsc::UnboundedSender<Event>,
    pongs: bool,
) {
    let closed = loop {
        tokio::select! {
            message = to_send.recv() => {
                let Some(message) = message else { return };
                // A failed write is followed by a failed read, which knows the close code.
                let _ = socket.send(message).await;
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    for object in objects(&text) {
                        if pongs && object["type"] == "ping" {
                            let _ = socket.send(Message::text(r#"{"type":"pong"}"#)).await;
                        }
                        let _ = events.send(Event::Object(object));
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    // The library queued the answering close; reading on sends it.
                    let _ = socket.next().await;
                    break frame.map_or(
                        Closed { code: 1005, reason: String::new() },
                        |frame| Closed { code: frame.code.into(), reason: frame.reason.to_string() },
                    );
                }
                Some(Ok(Message::Binary(_))) => panic!("this protocol has no binary frames"),
                Some(Ok(_)) => {}
                Some(Err(error)) => break Closed { code: 1006, reason: error.to_string() },
                None => break Closed { code: 1006, reason: String::new() },
            }
        }
    };
    let _ = events.send(Event::Closed(closed));
    // Whoever still sends finds nobody; the socket goes now.
    drop(socket);
    while to_send.recv().await.is_some() {}
}

/// The objects of a frame, a batch or a single one.
fn objects(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(batch)) => {
            assert!(
                batch.iter().all(Value::is_object),
                "a batch holds objects: {text}"
            );
            batch
        }
        Ok(object @ Value::Object(_)) => vec![object],
        other => panic!("not a frame ({other:?}): {text}"),
    }
}
