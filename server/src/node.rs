//! One shard's node: joins hub, broker and presence; the only file that knows all three, and how shards talk to each other.
//!
//! **Invariant:** everything one shard sends to another (requests, answers, messages) goes through one queue in order. So an answer stands exactly
//! between the messages before and after it. The inbox handler never waits for another shard, so two shards cannot wait for
//! each other; it is the publisher that waits while a queue is full.

mod turns;

use crate::broker::{
    Attach, Attached, Delivery, Detach, MemoryBroker, Name, PresencePush, Publication,
    PublishError, Published, Retained, ShardId, Snapshot,
};
use crate::channel::history::{Page, Range};
use crate::clock::Millis;
use crate::config::{Config, limits};
use crate::connection::Connection;
use crate::connection::handle::{End, Order};
use crate::hub::{Beginning, Hub, Slot};
use crate::shared::Shared;
use rejoin_protocol::CloseCode;
use rejoin_protocol::position::fnv1a;
use rejoin_protocol::reply::Window;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_local;

/// Something to do on another shard.
pub type Run = Box<dyn FnOnce(&Rc<Node>) + Send>;

/// What one shard tells another.
pub enum Message {
    /// A message for subscribers.
    Deliver(Delivery),
    /// A join or leave for subscribers.
    Presence(PresencePush),
    /// A request, or its answer.
    Run(Run),
}

impl Message {
    fn bytes(&self) -> usize {
        match self {
            Self::Deliver(delivery) => delivery.message.len(),
            Self::Presence(push) => push.message.len(),
            Self::Run(_) => 0,
        }
    }
}

/// Batches of messages to one shard.
pub type Inbox = mpsc::Receiver<Vec<Message>>;

/// The way to a shard's inbox.
pub type InboxSender = mpsc::Sender<Vec<Message>>;

/// What waits for another shard.
struct Link {
    queue: RefCell<Vec<Message>>,
    bytes: Cell<usize>,
    filled: Notify,
    emptied: Notify,
}

impl Link {
    fn is_congested(&self) -> bool {
        self.bytes.get() > limits::LINK_BYTES || self.queue.borrow().len() > limits::LINK_MESSAGES
    }
}

/// One shard's state.
pub struct Node {
    /// Which shard.
    pub shard: ShardId,
    /// The configuration.
    pub config: Arc<Config>,
    /// What all shards share.
    pub shared: Arc<Shared>,
    hub: RefCell<Hub>,
    broker: RefCell<MemoryBroker>,
    links: Vec<Link>,
    places: RefCell<HashMap<Arc<str>, Place>>,
    connections: RefCell<BTreeMap<u64, Held>>,
    next_connection: Cell<u64>,
    epoch: RefCell<Arc<str>>,
    forgotten: Cell<u64>,
    dirty: Notify,
    flushed: Notify,
    departing: Notify,
    closed: Notify,
    stopping: Notify,
}

/// A connection of this shard.
struct Held {
    connection: Rc<Connection>,
    /// After `hello`.
    identity: Option<Identity>,
}

/// Where a client is.
#[derive(Clone)]
struct Place {
    session: Arc<str>,
    shard: ShardId,
    connection: u64,
}

/// Who subscribes: a session with its member.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The session.
    pub session: Arc<str>,
    /// How others see it.
    pub member: Arc<str>,
    /// What presence shows of it.
    pub info: Option<rejoin_protocol::reply::Info>,
}

impl Node {
    /// A shard's node without connections.
    pub fn new(shard: ShardId, shared: Arc<Shared>) -> Rc<Self> {
        let config = shared.config.clone();
        let link = |_| Link {
            queue: RefCell::default(),
            bytes: Cell::new(0),
            filled: Notify::new(),
            emptied: Notify::new(),
        };
        Rc::new(Self {
            shard,
            hub: RefCell::default(),
            broker: RefCell::new(MemoryBroker::new(config.clone(), Millis::now())),
            links: (0..config.shards).map(link).collect(),
            places: RefCell::default(),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            epoch: RefCell::new(shared.epoch()),
            forgotten: Cell::new(0),
            dirty: Notify::new(),
            flushed: Notify::new(),
            departing: Notify::new(),
            closed: Notify::new(),
            stopping: Notify::new(),
            config,
            shared,
        })
    }

    // ---- connections

    /// Registers a socket.
    pub fn open(&self, stream: Arc<tokio::net::TcpStream>) -> Rc<Connection> {
        let id = self.next_connection.replace(self.next_connection.get() + 1);
        let connection = Rc::new(Connection::new(
            id,
            stream,
            self.config.limits.queue as usize,
        ));
        self.connections.borrow_mut().insert(
            id,
            Held {
                connection: connection.clone(),
                identity: None,
            },
        );
        connection
    }

    /// Forgets a socket.
    pub fn close(&self, connection: &Connection) {
        self.connections.borrow_mut().remove(&connection.id);
        self.closed.notify_waiters();
    }

    /// Gives an order to every connection that said `hello`. Returns how many.
    pub fn order_all(&self, order: &Order) -> usize {
        let connections = self.connections.borrow();
        let greeted = connections.values().filter(|held| held.identity.is_some());
        greeted
            .map(|held| held.connection.order(order.clone()))
            .count()
    }

    /// Ends every connection, and waits until they are gone.
    pub async fn end_all(&self, end: &End) {
        self.connections
            .borrow()
            .values()
            .for_each(|held| held.connection.end(end.clone()));
        loop {
            let closed = self.closed.notified();
            if self.connections.borrow().is_empty() {
                return;
            }
            closed.await;
        }
    }

    /// Makes the shard stop.
    pub fn stop(&self) {
        self.stopping.notify_one();
    }

    /// Waits until the shard is to stop.
    pub async fn stopped(&self) {
        self.stopping.notified().await;
    }

    fn end(&self, connection: u64, session: &str, end: End) {
        let connections = self.connections.borrow();
        let held = connections.get(&connection);
        if let Some(held) = held.filter(|held| {
            held.identity
                .as_ref()
                .is_some_and(|who| *who.session == *session)
        }) {
            held.connection.end(end);
        }
    }

    /// `client` is here from now on; where it was before, its connection is closed.
    pub async fn claim(
        self: &Rc<Self>,
        client: &Arc<str>,
        who: &Identity,
        connection: &Connection,
    ) {
        if let Some(held) = self.connections.borrow_mut().get_mut(&connection.id) {
            held.identity = Some(who.clone());
        }
        let place = Place {
            session: who.session.clone(),
            shard: self.shard,
            connection: connection.id,
        };
        let client = client.clone();
        self.ask(self.owner(&client), move |node: &Rc<Self>| {
            let Some(old) = node.places.borrow_mut().insert(client, place) else {
                return;
            };
            node.tell(old.shard, move |node: &Rc<Self>| {
                let end = End::new(
                    CloseCode::REPLACED,
                    "another connection took this client's place",
                );
                node.end(old.connection, &old.session, end);
            });
        })
        .await;
    }

    /// `client` is here no longer, unless it has come back by another session.
    pub fn release(self: &Rc<Self>, client: Arc<str>, session: Arc<str>) {
        self.tell(self.owner(&client), move |node: &Rc<Self>| {
            let mut places = node.places.borrow_mut();
            if places
                .get(&client)
                .is_some_and(|place| place.session == session)
            {
                places.remove(&client);
            }
        });
    }

    // ---- channels

    /// Publishes. Waits while too much waits to be delivered.
    ///
    /// # Errors
    /// As [`MemoryBroker::publish`].
    pub async fn publish(
        self: &Rc<Self>,
        publication: Publication,
    ) -> Result<Published, PublishError> {
        let owner = self.owner(&publication.channel);
        if owner == self.shard {
            let answer = self.publish_here(publication);
            self.uncongested().await;
            return answer;
        }
        let (give, take) = oneshot::channel();
        let from = self.shard;
        self.post(
            owner,
            Message::Run(Box::new(move |node| {
                let answer = node.publish_here(publication);
                let reply = Message::Run(Box::new(move |_| {
                    let _ = give.send(answer); // Nobody waits if the connection has ended.
                }));
                if node.is_congested() {
                    let node = node.clone();
                    spawn_local(async move {
                        node.uncongested().await;
                        node.post(from, reply);
                    });
                } else {
                    node.post(from, reply);
                }
            })),
        );
        answered(take).await
    }

    fn publish_here(self: &Rc<Self>, publication: Publication) -> Result<Published, PublishError> {
        let (published, delivery) = self
            .broker
            .borrow_mut()
            .publish(Millis::now(), publication)?;
        if let Some(delivery) = delivery {
            for shard in delivery.shards.iter() {
                self.post(shard, Message::Deliver(delivery.clone()));
            }
        }
        Ok(published)
    }

    /// Attaches a session to a channel; nothing is delivered until [`Node::begin`].
    pub async fn attach(
        self: &Rc<Self>,
        name: &Name,
        connection: &Rc<Connection>,
        who: &Identity,
        start: rejoin_protocol::position::Start,
        presence: bool,
    ) -> (Slot, Attached) {
        let owner = self.owner(name);
        loop {
            let slot = self
                .hub
                .borrow_mut()
                .join(name, connection.clone(), owner != self.shard);
            let attach = self.attachment(name, who, start.clone(), presence);
            let attached = self
                .ask(owner, move |node: &Rc<Self>| node.attach_here(attach))
                .await;
            // The application's state may have been replaced meanwhile, and the subscription forgotten with it.
            if self.hub.borrow().holds(name, slot, connection) {
                return (slot, attached);
            }
        }
    }

    /// Asks again for a session that is attached: presence is wanted from now on.
    pub async fn attach_presence(
        self: &Rc<Self>,
        name: &Name,
        slot: Slot,
        who: &Identity,
    ) -> Option<Snapshot> {
        let attach = self.attachment(
            name,
            who,
            rejoin_protocol::position::Start::From(Default::default()),
            true,
        );
        let attached = self
            .ask(self.owner(name), move |node: &Rc<Self>| {
                node.attach_here(attach)
            })
            .await;
        let version = attached.snapshot.as_ref().map(|snapshot| snapshot.version);
        self.hub.borrow_mut().set_presence(name, slot, version);
        attached.snapshot
    }

    fn attachment(
        &self,
        name: &Name,
        who: &Identity,
        start: rejoin_protocol::position::Start,
        presence: bool,
    ) -> Attach {
        let Identity {
            session,
            member,
            info,
        } = who.clone();
        Attach {
            channel: name.clone(),
            shard: self.shard,
            session,
            member,
            info,
            start,
            presence,
        }
    }

    fn attach_here(self: &Rc<Self>, attach: Attach) -> Attached {
        let (attached, push) = self.broker.borrow_mut().attach(Millis::now(), attach);
        self.push_presence(push);
        attached
    }

    /// Begins delivery behind what the session was told.
    pub fn begin(&self, name: &Name, slot: Slot, attached: &Attached) {
        let begin = &attached.begin;
        let beginning = Beginning {
            epoch: begin.epoch.clone(),
            since: begin.since,
            offset: begin.offset,
            has_history: attached.has_history,
            presence: attached.snapshot.as_ref().map(|snapshot| snapshot.version),
        };
        self.hub.borrow_mut().begin(name, slot, beginning);
    }

    /// Ends a subscription; `wanted`: the client said so.
    pub fn detach(
        self: &Rc<Self>,
        name: &Name,
        slot: Slot,
        connection: &Connection,
        who: &Identity,
        wanted: bool,
    ) {
        let mut hub = self.hub.borrow_mut();
        if !hub.holds(name, slot, connection) {
            return;
        }
        let last_of_shard = hub.leave(name, slot, connection);
        drop(hub);
        let detach = Detach {
            channel: name.clone(),
            shard: self.shard,
            session: who.session.clone(),
            member: who.member.clone(),
            wanted,
            last_of_shard,
        };
        self.tell(self.owner(name), move |node: &Rc<Self>| {
            let push = node.broker.borrow_mut().detach(Millis::now(), detach);
            node.push_presence(push);
            node.departing.notify_one();
        });
    }

    fn push_presence(self: &Rc<Self>, push: Option<PresencePush>) {
        let Some(push) = push else { return };
        for shard in push.shards.iter() {
            self.post(shard, Message::Presence(push.clone()));
        }
    }

    /// The messages after `since`; `None` when the channel has another epoch.
    pub async fn page(self: &Rc<Self>, name: &Name, epoch: Arc<str>, since: u64) -> Option<Page> {
        let channel = name.clone();
        let page = move |node: &Rc<Self>| {
            node.broker
                .borrow_mut()
                .page(Millis::now(), &channel, &epoch, since)
        };
        self.ask(self.owner(name), page).await
    }

    /// The messages of a range.
    pub async fn history(self: &Rc<Self>, name: &Name, range: Range) -> Option<Retained> {
        let channel = name.clone();
        let history = move |node: &Rc<Self>| {
            node.broker
                .borrow_mut()
                .history(Millis::now(), &channel, range)
        };
        self.ask(self.owner(name), history).await
    }

    /// Who is in a channel.
    pub async fn presence(self: &Rc<Self>, name: &Name) -> Option<Snapshot> {
        let channel = name.clone();
        self.ask(self.owner(name), move |node: &Rc<Self>| {
            node.broker.borrow().presence(&channel)
        })
        .await
    }

    /// The highest `seq` accepted of `producer`, over all shards.
    pub async fn highest_seq(self: &Rc<Self>, producer: &Arc<str>) -> u64 {
        let mut highest = 0;
        for shard in 0..self.links.len() {
            let producer = producer.clone();
            let seq = self
                .ask(shard, move |node: &Rc<Self>| {
                    node.broker.borrow().highest_seq(&producer)
                })
                .await;
            highest = highest.max(seq);
        }
        highest
    }

    /// This shard's subscribers.
    pub fn hub(&self) -> &RefCell<Hub> {
        &self.hub
    }

    // ---- the application

    /// The application's epoch as this shard knows it.
    pub fn epoch(&self) -> Arc<str> {
        self.epoch.borrow().clone()
    }

    /// Counts how often subscriptions were forgotten in silence.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.get()
    }

    /// Announces a new application epoch to everybody here. Returns how many were told.
    pub fn reinit(&self, epoch: Arc<str>, window: Window) -> usize {
        self.epoch.replace(epoch.clone());
        self.order_all(&Order::Reinit { epoch, window })
    }

    /// Replaces the application's state without a word. Test hook.
    pub fn replace(self: &Rc<Self>, epoch: Arc<str>) {
        self.epoch.replace(epoch);
        self.broker.borrow_mut().replace(Millis::now());
        let owner = self.shard;
        // In the queue to each shard this stands behind the answers given for the old channels, and before those for new ones.
        for shard in 0..self.links.len() {
            self.tell(shard, move |node: &Rc<Self>| {
                node.hub
                    .borrow_mut()
                    .forget(|name| node.owner(name) == owner);
                node.forgotten.set(node.forgotten.get() + 1);
            });
        }
    }

    /// Forgets one subscription without a word. Test hook. Returns whether it was there.
    pub fn drop_subscription(self: &Rc<Self>, session: &str, name: &Name) -> bool {
        let find = |held: &&Held| {
            held.identity
                .as_ref()
                .is_some_and(|who| *who.session == *session)
        };
        let found = self
            .connections
            .borrow()
            .values()
            .find(find)
            .map(|held| (held.connection.clone(), held.identity.clone()));
        let Some((connection, Some(who))) = found else {
            return false;
        };
        let Some(slot) = self.hub.borrow().find(name, &connection) else {
            return false;
        };
        self.detach(name, slot, &connection, &who, false);
        self.forgotten.set(self.forgotten.get() + 1);
        true
    }

    // ---- between shards

    /// Which shard owns what is called `name`: a channel, or a client.
    pub fn owner(&self, name: &str) -> ShardId {
        fnv1a(name) as usize % self.links.len()
    }

    /// Runs `request` on a shard and waits for its answer.
    pub async fn ask<T, F>(self: &Rc<Self>, shard: ShardId, request: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Rc<Self>) -> T + Send + 'static,
    {
        if shard == self.shard {
            return request(self);
        }
        let (give, take) = oneshot::channel();
        let from = self.shard;
        self.post(
            shard,
            Message::Run(Box::new(move |node| {
                let answer = request(node);
                node.post(
                    from,
                    Message::Run(Box::new(move |_| drop(give.send(answer)))),
                );
            })),
        );
        answered(take).await
    }

    /// Runs `order` on a shard.
    pub fn tell(self: &Rc<Self>, shard: ShardId, order: impl FnOnce(&Rc<Self>) + Send + 'static) {
        self.post(shard, Message::Run(Box::new(order)));
    }

    fn post(self: &Rc<Self>, shard: ShardId, message: Message) {
        if shard == self.shard {
            return self.receive(message);
        }
        let link = &self.links[shard];
        link.bytes.set(link.bytes.get() + message.bytes());
        link.queue.borrow_mut().push(message);
        link.filled.notify_one();
    }

    fn is_congested(&self) -> bool {
        self.hub.borrow().is_congested() || self.links.iter().any(Link::is_congested)
    }

    async fn uncongested(&self) {
        for link in &self.links {
            loop {
                let emptied = link.emptied.notified();
                if !link.is_congested() {
                    break;
                }
                emptied.await;
            }
        }
        self.flushed().await;
    }

    /// Waits until the flusher has room.
    async fn flushed(&self) {
        loop {
            let flushed = self.flushed.notified();
            if !self.hub.borrow().is_congested() {
                return;
            }
            flushed.await;
        }
    }

    /// Handles what came from a shard.
    pub fn receive(self: &Rc<Self>, message: Message) {
        let dirty = match message {
            Message::Deliver(delivery) => {
                self.hub
                    .borrow_mut()
                    .deliver(&delivery.channel, delivery.offset, &delivery.message)
            }
            Message::Presence(push) => {
                self.hub
                    .borrow_mut()
                    .deliver_presence(&push.channel, push.version, &push.message)
            }
            Message::Run(run) => {
                run(self);
                false
            }
        };
        if dirty {
            self.dirty.notify_one();
        }
    }
}

/// What another shard answers. When that shard has stopped there is no answer, and this one stops too: its connections are ended from outside.
async fn answered<T>(answer: oneshot::Receiver<T>) -> T {
    match answer.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}
