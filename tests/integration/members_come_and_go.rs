use std::time::{Duration, Instant};

use rejoin_tests::{Client, Profile, Server};
use serde_json::{Value, json};

on_shards!(
    others_see_who_joins_and_who_leaves,
    a_lost_connection_leaves_after_the_grace,
    a_reload_is_no_leave,
    goodbye_is_a_leave_at_once,
    only_those_who_asked_hear_of_it,
    changes_are_counted_without_holes,
    a_channel_without_presence_has_none,
);

const GRACE: Duration = Duration::from_millis(700);

async fn server(shards: usize) -> Server {
    let config = "[[channel]]\npattern = \"quiet/*\"\npresence = false\n\n\
                  [[channel]]\npattern = \"*\"\npresence = true\npresence_grace = \"700ms\"\n";
    Server::start(Profile::test(shards).config(config)).await
}

async fn enter(server: &Server, client: &str, presence: bool) -> (Client, Value) {
    let channels = json!([{"channel": "lobby", "presence": presence}]);
    let hello = json!({"client": client, "info": {"name": client}, "channels": channels});
    let (client, welcome) = Client::hello(server, hello).await;
    (client, welcome)
}

async fn others_see_who_joins_and_who_leaves(shards: usize) {
    let server = server(shards).await;
    let (mut ana, first) = enter(&server, "ana", true).await;
    let there = &first["channels"]["lobby"];
    assert_eq!(
        there["members"],
        json!([{"member": first["member"], "user": null, "info": {"name": "ana"}}])
    );
    let (mut ben, second) = enter(&server, "ben", true).await;
    let join = ana.expect("join").await;
    assert_eq!(join["channel"], "lobby");
    assert_eq!(join["member"], second["member"]);
    assert_eq!(join["user"], Value::Null);
    assert_eq!(join["info"], json!({"name": "ben"}));
    assert_eq!(join["version"], second["channels"]["lobby"]["version"]);
    assert_eq!(
        second["channels"]["lobby"]["members"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );

    ben.ok(json!({"type": "unsubscribe", "channel": "lobby"}))
        .await;
    let leave = ana.expect("leave").await;
    assert_eq!(leave["member"], second["member"]);
    assert_eq!(leave["info"], json!({"name": "ben"}));
    let asked = ana
        .ok(json!({"type": "presence", "channel": "lobby"}))
        .await;
    assert_eq!(asked["count"], 1);
    assert_eq!(asked["members"].as_array().map(Vec::len), Some(1));
    assert_eq!(asked["version"], leave["version"]);
    // Not subscribed any more: nothing to ask.
    assert_eq!(
        ben.error(json!({"type": "presence", "channel": "lobby"}))
            .await,
        "not_subscribed"
    );
    ben.nothing_more().await;
}

async fn a_lost_connection_leaves_after_the_grace(shards: usize) {
    let server = server(shards).await;
    let (mut ana, _) = enter(&server, "ana", true).await;
    let (ben, second) = enter(&server, "ben", true).await;
    ana.expect("join").await;
    let cut = Instant::now();
    ben.cut();
    let leave = ana.expect("leave").await;
    assert_eq!(leave["member"], second["member"]);
    assert!(cut.elapsed() >= GRACE, "after {:?}", cut.elapsed());
    ana.nothing_more().await;
}

async fn a_reload_is_no_leave(shards: usize) {
    let server = server(shards).await;
    let (mut ana, _) = enter(&server, "ana", true).await;
    let (ben, _) = enter(&server, "ben", true).await;
    let (carl, third) = enter(&server, "carl", true).await;
    ana.expect("join").await;
    ana.expect("join").await;
    carl.cut();
    ben.cut();
    let (_ben, _) = enter(&server, "ben", true).await;
    // Carl's grace began before Ben's: when Carl has left and one grace more is over, Ben would have left too.
    assert_eq!(ana.expect("leave").await["member"], third["member"]);
    let (dora, fourth) = enter(&server, "dora", true).await;
    ana.expect("join").await;
    dora.cut();
    assert_eq!(ana.expect("leave").await["member"], fourth["member"]);
    ana.nothing_more().await;
}

async fn goodbye_is_a_leave_at_once(shards: usize) {
    let config = "[[channel]]\npattern = \"*\"\npresence_grace = \"1h\"\n";
    let server = Server::start(Profile::test(shards).config(config)).await;
    let (mut ana, _) = enter(&server, "ana", true).await;
    let (mut ben, second) = enter(&server, "ben", true).await;
    ana.expect("join").await;
    ben.send(json!({"type": "bye"}));
    assert_eq!(ana.expect("leave").await["member"], second["member"]);
    assert_eq!(ben.closed().await.code, 1000);
}

async fn only_those_who_asked_hear_of_it(shards: usize) {
    let server = server(shards).await;
    let (mut deaf, first) = enter(&server, "deaf", false).await;
    assert_eq!(first["channels"]["lobby"].get("members"), None);
    let (mut ana, second) = enter(&server, "ana", true).await;
    let members = second["channels"]["lobby"]["members"].as_array();
    assert_eq!(
        members.map(Vec::len),
        Some(2),
        "who does not listen is there too"
    );
    deaf.nothing_more().await;
    // Presence can be turned on later.
    let again = json!({"type": "subscribe", "channel": "lobby", "presence": true});
    let ok = deaf.ok(again).await;
    assert_eq!(ok["members"].as_array().map(Vec::len), Some(2));
    ana.nothing_more().await;
    let (_ben, _) = enter(&server, "ben", true).await;
    deaf.expect("join").await;
    ana.expect("join").await;
}

async fn changes_are_counted_without_holes(shards: usize) {
    let server = server(shards).await;
    let (mut ana, welcome) = enter(&server, "ana", true).await;
    let mut version = welcome["channels"]["lobby"]["version"]
        .as_u64()
        .expect("a version");
    let mut tasks = Vec::new();
    for name in ["b", "c", "d"] {
        let mut other = Client::connect(&server, name, &[]).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                for kind in ["subscribe", "unsubscribe"] {
                    other.ok(json!({"type": kind, "channel": "lobby"})).await;
                }
            }
        }));
    }
    let mut there = 1i32;
    for _ in 0..60 {
        let change = ana.next().await;
        version += 1;
        assert_eq!(change["version"], version, "{change}");
        there += if change["type"] == "join" { 1 } else { -1 };
    }
    assert_eq!(there, 1);
    for task in tasks {
        task.await.expect("a member");
    }
    ana.nothing_more().await;
}

async fn a_channel_without_presence_has_none(shards: usize) {
    let server = server(shards).await;
    let mut ana = Client::connect(&server, "ana", &[]).await;
    let subscribe = json!({"type": "subscribe", "channel": "quiet/1", "presence": true});
    let ok = ana.ok(subscribe).await;
    assert_eq!(ok.get("members"), None);
    let ask = json!({"type": "presence", "channel": "quiet/1"});
    assert_eq!(ana.error(ask).await, "bad_request");
    let _ben = Client::connect(&server, "ben", &["quiet/1"]).await;
    ana.nothing_more().await;
}

#[tokio::test]
async fn a_crowd_is_counted_and_not_listed() {
    let server = Server::test(3).await;
    let mut crowd = Vec::new();
    for n in 0..499 {
        crowd.push(Client::connect(&server, &format!("c{n}"), &["lobby"]).await);
    }
    let (mut ana, welcome) = enter(&server, "ana", true).await;
    let lobby = &welcome["channels"]["lobby"];
    assert_eq!(lobby["members"].as_array().map(Vec::len), Some(500));
    let (_ben, welcome) = enter(&server, "ben", true).await;
    let lobby = &welcome["channels"]["lobby"];
    assert_eq!((lobby.get("members"), &lobby["count"]), (None, &json!(501)));
    let join = ana.expect("join").await;
    assert_eq!(join["version"], lobby["version"]);
    let asked = ana
        .ok(json!({"type": "presence", "channel": "lobby"}))
        .await;
    assert_eq!((asked.get("members"), &asked["count"]), (None, &json!(501)));
}
