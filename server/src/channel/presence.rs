//! Who is in a channel.
//!
//! **Invariant:** a member is in the list exactly while a session holds it or its grace runs. So a takeover (new session, same member) is
//! neither a leave nor a join, in whichever order the old end and the new begin are seen.

use crate::clock::Millis;
use rejoin_protocol::reply::{Info, Member};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The members of one channel.
#[derive(Debug, Default)]
pub struct Presence {
    members: BTreeMap<Arc<str>, Present>,
    version: u64,
}

#[derive(Debug)]
struct Present {
    info: Option<Info>,
    /// The sessions that are subscribed; one, but for the instant of a takeover.
    sessions: Vec<Arc<str>>,
    /// When it leaves, if no session holds it.
    leaves_at: Option<Millis>,
}

/// A transition to tell the others.
#[derive(Clone, Debug)]
pub struct Change {
    /// Came, or went.
    pub joined: bool,
    /// Who.
    pub member: Member,
    /// The list's version behind it.
    pub version: u64,
}

/// How a session gives up its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said so: the member leaves at once.
    Wanted,
    /// Its connection ended: the member leaves at this instant, unless it comes back.
    At(Millis),
}

impl Presence {
    /// Counts the changes.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Everyone, in the order of their names.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.members
            .iter()
            .map(|(name, present)| present.named(name))
    }

    /// `session` holds `member` from now on. Told only if the member was not there.
    pub fn enter(
        &mut self,
        member: &Arc<str>,
        session: &Arc<str>,
        info: Option<Info>,
    ) -> Option<Change> {
        if let Some(present) = self.members.get_mut(member) {
            present.info = info;
            present.leaves_at = None;
            if !present.sessions.contains(session) {
                present.sessions.push(session.clone());
            }
            return None;
        }
        let present = Present {
            info,
            sessions: vec![session.clone()],
            leaves_at: None,
        };
        let member = self
            .members
            .entry(member.clone())
            .or_insert(present)
            .named(member);
        self.version += 1;
        Some(Change {
            joined: true,
            member,
            version: self.version,
        })
    }

    /// `session` holds `member` no longer.
    pub fn depart(&mut self, member: &str, session: &str, departure: Departure) -> Option<Change> {
        let present = self.members.get_mut(member)?;
        let held = present.sessions.len();
        present.sessions.retain(|each| **each != *session);
        if held == present.sessions.len() || !present.sessions.is_empty() {
            return None;
        }
        match departure {
            Departure::Wanted => self.remove(member),
            Departure::At(instant) => {
                present.leaves_at = Some(instant);
                None
            }
        }
    }

    /// `member` leaves if its grace is over.
    pub fn expire(&mut self, now: Millis, member: &str) -> Option<Change> {
        let over = self
            .members
            .get(member)?
            .leaves_at
            .is_some_and(|at| at <= now);
        if over { self.remove(member) } else { None }
    }

    fn remove(&mut self, member: &str) -> Option<Change> {
        let (name, present) = self.members.remove_entry(member)?;
        self.version += 1;
        Some(Change {
            joined: false,
            member: present.named(&name),
            version: self.version,
        })
    }
}

impl Present {
    fn named(&self, name: &str) -> Member {
        Member {
            member: name.to_owned(),
            user: None,
            info: self.info.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(change: Option<Change>) -> Option<(bool, u64)> {
        change.map(|change| (change.joined, change.version))
    }

    #[test]
    fn a_takeover_is_neither_leave_nor_join_in_either_order() {
        let (ana, old, new) = ("ana".into(), "s1".into(), "s2".into());
        for new_first in [true, false] {
            let mut presence = Presence::default();
            assert_eq!(told(presence.enter(&ana, &old, None)), Some((true, 1)));
            if new_first {
                assert_eq!(told(presence.enter(&ana, &new, None)), None);
            }
            assert_eq!(
                told(presence.depart(&ana, &old, Departure::At(Millis(9)))),
                None
            );
            if !new_first {
                assert_eq!(told(presence.enter(&ana, &new, None)), None);
            }
            assert_eq!(told(presence.expire(Millis(99), &ana)), None);
            assert_eq!((presence.count(), presence.version()), (1, 1));
        }
    }

    #[test]
    fn a_lost_connection_leaves_after_its_grace_and_a_wish_at_once() {
        let (ana, session) = ("ana".into(), "s1".into());
        let mut presence = Presence::default();
        presence.enter(&ana, &session, None);
        assert_eq!(
            told(presence.depart(&ana, &session, Departure::At(Millis(10)))),
            None
        );
        assert_eq!(told(presence.expire(Millis(9), &ana)), None);
        assert_eq!(told(presence.expire(Millis(10), &ana)), Some((false, 2)));
        presence.enter(&ana, &session, None);
        assert_eq!(
            told(presence.depart(&ana, "unknown", Departure::Wanted)),
            None
        );
        assert_eq!(
            told(presence.depart(&ana, &session, Departure::Wanted)),
            Some((false, 4))
        );
        assert_eq!(
            told(presence.depart(&ana, &session, Departure::Wanted)),
            None
        );
    }

    proptest! {
        /// Whatever happens, the changes told rebuild the list, and versions are dense.
        #[test]
        fn changes_add_up_to_the_list(steps in proptest::collection::vec((0u8..4, 0u8..3, 0u8..3), 0..60)) {
            let mut presence = Presence::default();
            let mut list = std::collections::BTreeSet::new();
            let mut version = 0;
            for (now, (what, member, session)) in steps.into_iter().enumerate() {
                let now = Millis(now as u64);
                let (member, session) = (Arc::from(format!("m{member}")), Arc::from(format!("s{session}")));
                let change = match what {
                    0 => presence.enter(&member, &session, None),
                    1 => presence.depart(&member, &session, Departure::Wanted),
                    2 => presence.depart(&member, &session, Departure::At(Millis(now.0 + 3))),
                    _ => presence.expire(now, &member),
                };
                if let Some(change) = change {
                    version += 1;
                    prop_assert_eq!(change.version, version);
                    let name = change.member.member;
                    let is_news = if change.joined { list.insert(name) } else { list.remove(&name) };
                    prop_assert!(is_news);
                }
            }
            let names: std::collections::BTreeSet<_> = presence.members().map(|member| member.member).collect();
            prop_assert_eq!(names, list);
        }
    }
}
