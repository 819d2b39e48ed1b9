//! What the application holds: a client, and its subscriptions.

use std::sync::Arc;

use rejoin_protocol::position::{From, is_channel_name};
use rejoin_session::{Cause, Outage, State};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::driver::{self, Request};
use crate::inbox::{Inbox, Item};
use crate::socket::Target;
use crate::{EVENTS_MAX, Error, Event, Options, Subscribed};

/// Calls that wait for the driver; the next one waits for room.
const CALLS_MAX: usize = 256;

/// What is known of a client now.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Of the connection.
    pub state: State,
    /// Of `Reconnecting` and `Closed`.
    pub cause: Option<Cause>,
    /// The outage under way.
    pub outage: Option<Outage>,
    /// How others see this client, from the first welcome on.
    pub member: Option<String>,
    /// The server's name of the last connection.
    pub session: Option<String>,
    /// Publishes without an answer.
    pub pending: usize,
}

/// What became of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The message's offset.
    pub offset: u64,
    /// It had been accepted before, and its answer was lost.
    pub duplicate: bool,
}

/// One logical connection. Clones share it; when the last one and the last [`Subscription`] are dropped, it closes.
#[derive(Clone, Debug)]
pub struct Client {
    calls: mpsc::Sender<Request>,
    status: watch::Receiver<Status>,
    events: broadcast::Sender<Event>,
}

/// Connects to `url`, for example `ws://127.0.0.1:8575/ws`, on the current tokio runtime. Returns at once.
///
/// # Errors
/// [`Error::Url`] and [`Error::Option`]. That the server cannot be reached is no error: attempts go on.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn connect(url: &str, options: Options) -> Result<Client, Error> {
    options.check()?;
    let target = Target::parse(url)?;
    let (calls, to_handle) = mpsc::channel(CALLS_MAX);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let (told, status) = watch::channel(Status {
        state: State::Connecting,
        cause: None,
        outage: None,
        member: None,
        session: None,
        pending: 0,
    });
    driver::spawn(target, options, to_handle, events.clone(), told);
    Ok(Client {
        calls,
        status,
        events,
    })
}

impl Client {
    /// Subscribes from the next message on. Subscriptions to one channel share what the server sends.
    ///
    /// # Errors
    /// [`Error::Channel`], [`Error::Closed`].
    pub async fn subscribe(&self, channel: &str) -> Result<Subscription, Error> {
        self.subscribe_from(channel, From::Now).await
    }

    /// Subscribes, to begin with at `from`. It counts for the channel's first subscription only.
    ///
    /// # Errors
    /// [`Error::Channel`], [`Error::Closed`].
    pub async fn subscribe_from(&self, channel: &str, from: From) -> Result<Subscription, Error> {
        if !is_channel_name(channel) {
            return Err(Error::Channel(channel.to_owned()));
        }
        let inbox = Arc::new(Inbox::default());
        let (reply, subscribed) = oneshot::channel();
        let request = Request::Subscribe {
            channel: channel.to_owned(),
            from,
            inbox: inbox.clone(),
            reply,
        };
        self.call(request).await?;
        Ok(Subscription {
            channel: channel.to_owned(),
            status: subscribed.await.map_err(|_| Error::Closed)?,
            inbox,
            calls: self.calls.clone(),
        })
    }

    /// Publishes, and waits until the server has accepted it: through any number of reconnections, and never twice.
    ///
    /// # Errors
    /// [`Error::Payload`], [`Error::QueueFull`], [`Error::Refused`], [`Error::Ended`], [`Error::Closed`].
    pub async fn publish(
        &self,
        channel: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Published, Error> {
        self.send(channel, to_raw_value(data)?, true).await
    }

    /// Like [`Client::publish`], but only if there is a connection now.
    ///
    /// # Errors
    /// [`Error::NotConnected`] besides those of [`Client::publish`].
    pub async fn publish_now(
        &self,
        channel: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Published, Error> {
        self.send(channel, to_raw_value(data)?, false).await
    }

    /// Everything that happens from now on. [`EVENTS_MAX`] wait for a slow reader.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// What is known now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits for a state, and returns what is known then.
    ///
    /// # Errors
    /// [`Error::Closed`] when the client has been closed in another state.
    pub async fn wait_for(&self, state: State) -> Result<Status, Error> {
        let mut status = self.status.clone();
        let reached = status.wait_for(|status| status.state == state).await;
        reached
            .map(|status| status.clone())
            .map_err(|_| Error::Closed)
    }

    /// Tries now instead of later, and leaves an end that was final for the session but not for the application. At most
    /// once per second.
    pub async fn retry(&self) {
        // A closed client has nothing to retry.
        let _ = self.call(Request::Retry).await;
    }

    /// Leaves for good: presence ends at once, what waits fails with [`Error::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        // Either of these fails when it was closed before.
        if self.call(Request::Close { reply }).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn send(
        &self,
        channel: &str,
        data: Box<RawValue>,
        queue: bool,
    ) -> Result<Published, Error> {
        if !is_channel_name(channel) {
            return Err(Error::Channel(channel.to_owned()));
        }
        let (reply, settled) = oneshot::channel();
        let request = Request::Publish {
            channel: channel.to_owned(),
            data,
            queue,
            reply,
        };
        self.call(request).await?;
        settled.await.unwrap_or(Err(Error::Closed))
    }

    async fn call(&self, request: Request) -> Result<(), Error> {
        self.calls.send(request).await.map_err(|_| Error::Closed)
    }
}

/// One reader of a channel. Dropping it unsubscribes, unless another reads the same channel.
#[derive(Debug)]
pub struct Subscription {
    channel: String,
    status: watch::Receiver<Subscribed>,
    inbox: Arc<Inbox>,
    calls: mpsc::Sender<Request>,
}

impl Subscription {
    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Its state now.
    pub fn state(&self) -> Subscribed {
        *self.status.borrow()
    }

    /// Waits until the server has confirmed it.
    ///
    /// # Errors
    /// [`Error::Refused`] with the code `denied` when the server refuses (an [`Event::Error`] tells why); [`Error::Closed`].
    pub async fn ready(&self) -> Result<(), Error> {
        let mut status = self.status.clone();
        let settled = status
            .wait_for(|status| *status != Subscribed::Subscribing)
            .await;
        match settled.as_deref() {
            Ok(Subscribed::Subscribed) => Ok(()),
            Ok(Subscribed::Denied) => Err(Error::Refused {
                code: "denied".to_owned(),
                message: format!("the server refused the channel {:?}", self.channel),
                temporary: false,
            }),
            Ok(Subscribed::Subscribing | Subscribed::Unsubscribed) | Err(_) => Err(Error::Closed),
        }
    }

    /// The next item, in order; `None` when nothing follows. Safe to cancel.
    pub async fn next(&mut self) -> Option<Item> {
        self.inbox.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inbox.close();
        let request = Request::Unsubscribe {
            channel: std::mem::take(&mut self.channel),
        };
        // When there is no room, the driver notices with the channel's next message.
        let _ = self.calls.try_send(request);
    }
}
