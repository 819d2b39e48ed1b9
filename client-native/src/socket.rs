//! One socket, driven by a task of its own: dial, write, read, until it ends or is abandoned.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rejoin_protocol::SUBPROTOCOL;
use rejoin_session::SocketId;
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::Error;

/// Frames that wait to be written: every publish in flight, and room for requests.
const OUTGOING_MAX: usize = rejoin_session::IN_FLIGHT_MAX + 1_024;
/// Frames read and not handled yet; then the socket is read no further.
pub(crate) const INCOMING_MAX: usize = 64;
/// How long an abandoned socket may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// The close code of an end without a close.
pub(crate) const ABNORMAL: u16 = 1006;
/// The close code of a close without a code.
const NO_STATUS: u16 = 1005;

/// Where to dial.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Url {
            url: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => return Err(wrong("this client has no TLS")),
            _ => return Err(wrong("its scheme must be ws:")),
        }
        let host = uri.host().ok_or_else(|| wrong("it has no host"))?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            url: uri,
        })
    }

    pub(crate) async fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// News of a socket.
#[derive(Debug)]
pub(crate) struct SocketEvent {
    pub(crate) socket: SocketId,
    pub(crate) news: News,
}

#[derive(Debug)]
pub(crate) enum News {
    Opened,
    Frame(Utf8Bytes),
    Closed(u16),
}

/// The driver's end of a socket. Dropping it abandons the socket: what was sent is still written, if that is quick.
#[derive(Debug)]
pub(crate) struct Socket {
    id: SocketId,
    outgoing: mpsc::Sender<String>,
    /// Dropped with this, which the socket's task sees even while it is stuck in a write.
    _held: oneshot::Sender<()>,
}

impl Socket {
    /// Begins to dial. Everything that happens is told to `events`.
    pub(crate) fn open(id: SocketId, target: Target, events: mpsc::Sender<SocketEvent>) -> Self {
        let (outgoing, to_send) = mpsc::channel(OUTGOING_MAX);
        let (_held, let_go) = oneshot::channel();
        tokio::spawn(async move {
            let news = Reporter { socket: id, events };
            tokio::select! {
                () = run(target, to_send, &news) => {}
                () = abandoned(let_go) => {}
            }
        });
        Self {
            id,
            outgoing,
            _held,
        }
    }

    /// Which socket this is.
    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    /// Hands a frame over. False: too much waits already, the frame is lost and the connection useless. A frame for a
    /// socket that has ended is lost too, and its end is told.
    pub(crate) fn send(&self, frame: String) -> bool {
        !matches!(self.outgoing.try_send(frame), Err(TrySendError::Full(_)))
    }
}

struct Reporter {
    socket: SocketId,
    events: mpsc::Sender<SocketEvent>,
}

impl Reporter {
    async fn tell(&self, news: News) {
        let socket = self.socket;
        // Fails when the client is gone, and then nobody wants to know.
        let _ = self.events.send(SocketEvent { socket, news }).await;
    }
}

/// Resolves when the driver has let go and the time for a goodbye is over.
async fn abandoned(let_go: oneshot::Receiver<()>) {
    // Nothing is ever sent: the end of the sender is the signal.
    let _ = let_go.await;
    tokio::time::sleep(GOODBYE).await;
}

async fn run(target: Target, mut to_send: mpsc::Receiver<String>, news: &Reporter) {
    let mut stream = tokio::select! {
        opened = dial(&target) => match opened {
            Some(stream) => stream,
            None => return news.tell(News::Closed(ABNORMAL)).await,
        },
        // Nothing is sent before `Opened`, so this is the driver letting go.
        _ = to_send.recv() => return,
    };
    news.tell(News::Opened).await;
    loop {
        tokio::select! {
            frame = to_send.recv() => match frame {
                Some(frame) => write(&mut stream, frame, &mut to_send).await,
                None => {
                    let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    let _ = stream.close(Some(normal)).await;
                    return;
                }
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => news.tell(News::Frame(text)).await,
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(NO_STATUS, |frame| frame.code.into());
                    news.tell(News::Closed(code)).await;
                    // Sends the answering close.
                    let _ = stream.next().await;
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return news.tell(News::Closed(ABNORMAL)).await,
            },
        }
    }
}

/// Writes a frame and what else waits, all in one go. A failed write is followed by a failed read, which knows the code.
async fn write(
    stream: &mut WebSocketStream<TcpStream>,
    frame: String,
    to_send: &mut mpsc::Receiver<String>,
) {
    let mut next = Some(frame);
    while let Some(frame) = next {
        let _ = stream.feed(Message::text(frame)).await;
        next = to_send.try_recv().ok();
    }
    let _ = stream.flush().await;
}

async fn dial(target: &Target) -> Option<WebSocketStream<TcpStream>> {
    let mut request = target.url.clone().into_client_request().ok()?;
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", subprotocol);
    let stream = target.connect().await.ok()?;
    let (stream, _) = client_async(request, stream).await.ok()?;
    Some(stream)
}
