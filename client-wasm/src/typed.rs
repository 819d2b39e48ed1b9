//! The face for front ends written in Rust: the same session, driver and bridge as the npm package, with payloads that
//! serde knows.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use js_sys::futures::JsFuture;
use js_sys::{Array, Object, Promise, Reflect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

pub use rejoin_session::State;

use crate::driver;

#[wasm_bindgen(module = "/js/typed.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn connect(options: &JsValue, core: &Object, stated: &JsValue) -> Result<JsValue, JsValue>;
    fn state(client: &JsValue) -> u8;
    fn subscribe(client: &JsValue, channel: &str, hear: &JsValue) -> JsValue;
    fn unsubscribe(client: &JsValue, listener: &JsValue);
    fn publish(client: &JsValue, channel: &str, data: &JsValue) -> Promise;
    fn close(client: &JsValue);
    #[wasm_bindgen(js_name = drop)]
    fn drop_client(client: &JsValue);
}

/// How a client connects. Times in ms.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// Sent with every `hello`; `None` where the server asks for none.
    pub token: Option<String>,
    /// URL of the health probe; `None`: `/health` at the socket's host.
    pub health: Option<String>,
    /// A URL elsewhere, which tells "my uplink" from "their server"; `None`: not asked.
    pub witness: Option<String>,
    /// Ceiling of the first wait between two attempts.
    pub base: u32,
    /// Ceiling of every wait.
    pub cap: u32,
    /// From dial to welcome.
    pub connect_timeout: u32,
    /// For an answer to a probe.
    pub probe_timeout: u32,
    /// Publishes that may wait to be sent.
    pub queue_count: u32,
    /// Bytes of their payloads.
    pub queue_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: None,
            health: None,
            witness: None,
            base: 1_000,
            cap: 30_000,
            connect_timeout: 10_000,
            probe_timeout: 2_000,
            queue_count: 1_000,
            queue_bytes: 1 << 20,
        }
    }
}

/// A publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<T> {
    /// The payload.
    pub data: T,
    /// Dense within one incarnation of the channel's history.
    pub offset: u64,
    /// The member that published it; `None` when the server did.
    pub from: Option<String>,
    /// Server clock, ms since 1970.
    pub at: Option<f64>,
}

/// What the server made of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Of the publication.
    pub offset: u64,
    /// It had been accepted before, at that offset.
    pub duplicate: bool,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Error {
    /// A short stable string: PROTOCOL.md § Error codes.
    pub code: String,
    /// For a person.
    #[serde(default)]
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What JavaScript rejected with.
    fn of(value: JsValue) -> Self {
        let refused = serde_wasm_bindgen::from_value(value.clone());
        refused.unwrap_or_else(|_| Self::bad_request(&value))
    }

    fn bad_request(thrown: &JsValue) -> Self {
        let said = thrown.dyn_ref::<js_sys::Error>();
        Self {
            code: "bad_request".to_owned(),
            message: said.map_or_else(|| format!("{thrown:?}"), |error| error.message().into()),
        }
    }
}

/// A connection that outlives its sockets. Clones are the same connection; it is closed by [`Client::close`], or when the
/// last clone and the last [`Subscription`] are gone.
#[derive(Clone)]
pub struct Client(Rc<Inner>);

type OnState = Rc<RefCell<Option<Box<dyn FnMut(State)>>>>;
type Create = dyn Fn(u32) -> i32;
type Input = dyn Fn(i32, i32, u32, u32, f64) -> f64;

struct Inner {
    host: JsValue,
    on_state: OnState,
    // What bridge.js and typed.js call: alive as long as the client.
    _create: Closure<Create>,
    _input: Closure<Input>,
    _stated: Closure<dyn Fn(u8)>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop_client(&self.host);
    }
}

impl Client {
    /// Begins to connect, and goes on until it is closed.
    ///
    /// # Errors
    /// `bad_request`: not a URL, or no WebSocket here.
    pub fn connect(url: &str, options: &Options) -> Result<Self, Error> {
        let create: Closure<Create> = Closure::new(driver::create);
        let input: Closure<Input> = Closure::new(|handle, what, key, at, number| {
            driver::client(handle).input(what, key, at, number)
        });
        let on_state: OnState = Rc::default();
        let told = on_state.clone();
        let stated = Closure::new(move |number| {
            // Not borrowed while it runs: it may set another in its place.
            let handler = told.borrow_mut().take();
            if let Some(mut handler) = handler {
                handler(of_number(number));
                told.borrow_mut().get_or_insert(handler);
            }
        });

        let core = Object::new();
        set(&core, "create", create.as_ref());
        set(&core, "input", input.as_ref());
        let choices = to_js(options).map_err(|thrown| Error::bad_request(&thrown))?;
        set(choices.unchecked_ref(), "url", &url.into());
        let host = connect(&choices, &core, stated.as_ref());
        let host = host.map_err(|thrown| Error::bad_request(&thrown))?;
        Ok(Self(Rc::new(Inner {
            host,
            on_state,
            _create: create,
            _input: input,
            _stated: stated,
        })))
    }

    /// State of the connection.
    pub fn state(&self) -> State {
        of_number(state(&self.0.host))
    }

    /// Calls `handler` at every transition, soon after it; instead of the one given before.
    pub fn on_state(&self, handler: impl FnMut(State) + 'static) {
        *self.0.on_state.borrow_mut() = Some(Box::new(handler));
    }

    /// Wants a channel, from now on and over every reconnect. A payload that is not a `T` is written to the console.
    pub fn subscribe<T: DeserializeOwned + 'static>(
        &self,
        channel: &str,
        mut listener: impl FnMut(Message<T>) + 'static,
    ) -> Subscription {
        let hear = move |data: JsValue, offset: f64, from: Option<String>, at: Option<f64>| {
            match serde_wasm_bindgen::from_value(data) {
                Ok(data) => {
                    listener(Message {
                        data,
                        offset: offset as u64,
                        from,
                        at,
                    });
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        };
        let hear: Closure<Hear> = Closure::new(hear);
        Subscription {
            listener: subscribe(&self.0.host, channel, hear.as_ref()),
            client: self.0.clone(),
            _hear: hear,
        }
    }

    /// Publishes at once, or as soon as there is a connection. The future tells what the server made of it, and need not be
    /// awaited.
    pub fn publish<T: Serialize>(
        &self,
        channel: &str,
        data: &T,
    ) -> impl Future<Output = Result<Accepted, Error>> + 'static {
        let sent = to_js(data).map(|data| publish(&self.0.host, channel, &data));
        async move {
            let answer = JsFuture::from(sent.map_err(Error::of)?).await;
            let answer = Array::from(&answer.map_err(Error::of)?);
            Ok(Accepted {
                offset: answer.get(0).as_f64().unwrap_or_default() as u64,
                duplicate: answer.get(1).is_truthy(),
            })
        }
    }

    /// Ends it: what waits fails with `closed`, and so does every later publish.
    pub fn close(&self) {
        close(&self.0.host);
    }
}

type Hear = dyn FnMut(JsValue, f64, Option<String>, Option<f64>) -> Option<String>;

/// Interest in one channel, given up when it is dropped.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    client: Rc<Inner>,
    listener: JsValue,
    _hear: Closure<Hear>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        unsubscribe(&self.client.host, &self.listener);
    }
}

fn of_number(number: u8) -> State {
    match number {
        0 => State::Connecting,
        1 => State::Connected,
        2 => State::Reconnecting,
        _ => State::Closed,
    }
}

/// As JSON has it: maps as objects, and none as null.
fn to_js<T: Serialize>(value: &T) -> Result<JsValue, JsValue> {
    value
        .serialize(&Serializer::json_compatible())
        .map_err(JsValue::from)
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // A plain object takes every property.
    let _ = Reflect::set(object, &name.into(), value);
}
