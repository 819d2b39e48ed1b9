//! The real server process, met by a raw WebSocket client that knows PROTOCOL.md and nothing else.
//!
//! One module per situation. Those under [`on_shards!`] run on one shard and on three.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests measure how long a real process takes"
)]

/// Makes tests of `async fn situation(shards: usize)`: once on one shard, once on three.
macro_rules! on_shards {
    ($($situation:ident),+ $(,)?) => {$(
        mod $situation {
            #[tokio::test]
            async fn on_one_shard() {
                super::$situation(1).await;
            }

            #[tokio::test]
            async fn on_three_shards() {
                super::$situation(3).await;
            }
        }
    )+};
}

mod another_connection_takes_the_place;
mod application_is_not_ready;
mod application_reinitialised;
mod application_replaced_in_silence;
mod client_does_not_read;
mod client_sends_nonsense;
mod client_takes_its_time;
mod client_without_manners;
mod connection_is_made;
mod health_and_pages;
mod history_shorter_than_the_absence;
mod many_publish_at_once;
mod members_come_and_go;
mod native_client_through_a_reinit;
mod native_client_through_a_relay;
mod native_client_through_a_restart;
mod operator_api_is_guarded;
mod origin_of_a_page;
mod protocol_document;
mod publish_is_repeated;
mod rejoin_after_a_cut;
mod rejoin_after_server_restart;
mod server_cannot_start;
mod server_pings;
mod server_stops_politely;
mod subscription_lost_in_silence;
