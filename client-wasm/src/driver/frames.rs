//! From a frame of the server to an input of the session. The browser's own `JSON.parse` has run, once.

use rejoin_session::{
    Asked, Epoch, Id, Joined, Position, Session, Slot, SocketId, Verdict, Welcome, Why, Window,
};
use wasm_bindgen::JsValue;

use super::Client;
use crate::bridge::{self, Field, Kind, Tell};

impl Client {
    pub(super) fn handle_frames(&self, socket: SocketId, event: &JsValue) {
        self.input(|session, now| session.handle_alive(now, socket));
        for frame in bridge::frames(event).iter() {
            // An earlier frame of the same batch may have ended this socket.
            if self.session.borrow().is_current(socket) {
                self.handle_frame(socket, &frame);
                self.drain();
            }
        }
    }

    #[inline(never)]
    fn handle_frame(&self, socket: SocketId, frame: &JsValue) {
        let Some(kind) = Kind::of(bridge::kind(&self.host, frame)) else {
            return;
        };
        let slot = Slot(bridge::slot(&self.host, frame) as u32); // beyond every slot when it is not ours
        match kind {
            Kind::Message => return self.offer(slot, frame, false),
            Kind::Welcome => return self.handle_welcome(socket, frame),
            Kind::Ok => return self.handle_ok(frame),
            Kind::Join | Kind::Leave => return bridge::deliver(&self.host, slot.0, frame),
            Kind::Error if self.some(frame, Field::Id).is_none() => {
                return self.tell(Tell::Error, 0, 0.0, -1.0, 0, 0);
            }
            _ => {}
        }
        let epoch = self.epoch(frame, Field::Epoch);
        let window = self.window(frame, Field::WindowMin);
        let id = Id(self.number(frame, Field::Id) as u32);
        self.input(|session, now| match kind {
            Kind::Ping => {
                let sum = self.some(frame, Field::Sum).map(|sum| sum as u32);
                session.handle_ping(now, epoch, sum, self.window(frame, Field::RetryMin));
            }
            Kind::Error => {
                let retry = self.some(frame, Field::Retry).filter(|&ms| ms > 0.0);
                session.handle_error(now, id, retry.map(|ms| ms as u64));
            }
            Kind::Live => session.handle_live(now, slot),
            Kind::Gap => self.handle_gap(session, slot, frame),
            Kind::Kick => session.handle_refused(now, slot),
            Kind::Reinit => {
                session.handle_reinit(now, epoch, window.unwrap_or(Window { min: 0, max: 0 }));
            }
            Kind::Bye => {
                let code = self.number(frame, Field::Code) as u16;
                session.handle_bye(now, socket, code, window);
            }
            Kind::Message | Kind::Welcome | Kind::Ok | Kind::Join | Kind::Leave => {}
        });
    }

    /// Offers a publication: what goes with the verdict, a gap above all, is told before it.
    pub(super) fn offer(&self, slot: Slot, frame: &JsValue, over_hole: bool) {
        let offset = self.number(frame, Field::Offset) as u64;
        let verdict = self.input(|session, now| {
            if over_hole {
                session.accept_held(now, slot, offset)
            } else {
                session.accept(now, slot, offset)
            }
        });
        if verdict == Verdict::Hold {
            bridge::hold(&self.host, slot.0, frame);
        }
        self.drain();
        if verdict == Verdict::Deliver {
            bridge::deliver(&self.host, slot.0, frame);
        }
    }

    fn handle_ok(&self, frame: &JsValue) {
        let id = Id(self.number(frame, Field::Id) as u32);
        let asked = self.session.borrow().asked(id);
        let mut joined = None;
        match asked {
            Some(Asked::Subscribe(_)) => joined = Some(self.joined(frame)),
            Some(Asked::History(slot)) => {
                for message in bridge::messages(frame).iter() {
                    self.offer(slot, &message, true);
                }
            }
            Some(Asked::Subscriptions) => self.repair(frame),
            Some(Asked::Unsubscribe(_) | Asked::Page) | None => {}
        }
        let offset = self.number(frame, Field::Offset) as u64;
        let duplicate = self.number(frame, Field::Duplicate) > 0.0;
        self.input(|session, now| session.handle_ok(now, id, joined, offset, duplicate));
    }

    /// Only what differs is repaired, from our own positions.
    fn repair(&self, frame: &JsValue) {
        self.input(|session, now| {
            for slot in (0..session.slots()).map(Slot) {
                if bridge::entry(&self.host, frame, slot.0).is_none() {
                    session.handle_unlisted(now, slot);
                }
            }
        });
        bridge::give_up(&self.host, frame);
    }

    fn handle_welcome(&self, socket: SocketId, frame: &JsValue) {
        let welcome = Welcome {
            epoch: self.epoch(frame, Field::Epoch),
            node: self.epoch(frame, Field::Node),
            ping: self.number(frame, Field::Ping) as u64,
            grace: self.number(frame, Field::Grace) as u64,
            retry: self.window(frame, Field::RetryMin).unwrap_or(Window { min: 0, max: 0 }),
        };
        if !self.input(|session, now| session.handle_welcome(now, socket, welcome)) {
            return;
        }
        bridge::welcome(&self.host, frame);
        self.drain();
        let slots = self.session.borrow().slots(); // not in the loop's head, which would keep the borrow
        for slot in (0..slots).map(Slot) {
            let Some(entry) = bridge::entry(&self.host, frame, slot.0) else {
                continue;
            };
            self.input(|session, now| {
                if bridge::refused(&entry) {
                    session.handle_refused(now, slot);
                } else {
                    session.handle_joined(slot, self.joined(&entry));
                }
            });
            self.drain(); // while this entry is the one that details are taken from
        }
        self.input(|session, now| session.handle_welcomed(now));
    }

    fn handle_gap(&self, session: &mut Session, slot: Slot, frame: &JsValue) {
        let Some(old) = session.position(slot) else { return };
        let new = self.epoch(frame, Field::Epoch);
        let epoch = if new.0 == 0 { old.epoch } else { new };
        let offset = self.some(frame, Field::Offset).or(self.some(frame, Field::To));
        let position = Position {
            epoch,
            offset: offset.unwrap_or(0.0) as u64,
        };
        let why = match self.number(frame, Field::Why) as i32 {
            1 => Why::Slow,
            2 => Why::Epoch,
            _ => Why::Expired,
        };
        session.handle_gap(slot, position, why);
    }

    fn joined(&self, frame: &JsValue) -> Joined {
        Joined {
            epoch: self.epoch(frame, Field::Epoch),
            since: self.number(frame, Field::Since) as u64,
            offset: self.number(frame, Field::Offset) as u64,
        }
    }

    /// NaN, which every cast to an integer takes for 0, when the frame has none.
    fn number(&self, frame: &JsValue, field: Field) -> f64 {
        bridge::number(&self.host, frame, field as i32)
    }

    #[inline(never)]
    fn some(&self, frame: &JsValue, field: Field) -> Option<f64> {
        Some(self.number(frame, field)).filter(|number| !number.is_nan())
    }

    fn epoch(&self, frame: &JsValue, field: Field) -> Epoch {
        Epoch(self.number(frame, field) as u32)
    }

    /// The window that begins at field `min`; its end is the field after.
    #[inline(never)]
    fn window(&self, frame: &JsValue, min: Field) -> Option<Window> {
        Some(Window {
            min: self.some(frame, min)? as u64,
            max: bridge::number(&self.host, frame, min as i32 + 1) as u64,
        })
    }
}
