//! Bytes that no WebSocket library would send.

use rejoin_tests::{Client, SUBPROTOCOL, Server, request_bytes, within};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A finished handshake, and the bare TCP connection under it.
async fn shake_hands(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("accepted");
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        server.address()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    within("the handshake", async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
    })
    .await;
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(
        head.contains("sec-websocket-protocol: rejoin.v1.json"),
        "{head}"
    );
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
    stream
}

#[tokio::test]
async fn broken_framing_is_a_protocol_error() {
    let server = Server::test(1).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    let long_ping = [b"\x89\xfe\x00\x7e\x00\x00\x00\x00".as_slice(), &[0; 126]].concat();
    let cases: [(&str, &[u8]); 4] = [
        ("not masked", b"\x81\x02{}"),
        ("a reserved bit", b"\xc1\x82\x00\x00\x00\x00{}"),
        ("an unknown opcode", b"\x83\x82\x00\x00\x00\x00{}"),
        ("a ping of more than 125 bytes", &long_ping),
    ];
    for (name, bytes) in cases {
        let mut stream = shake_hands(&server).await;
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        let ended = within("the end", stream.read_to_end(&mut answer)).await;
        // A reset would throw the close frame away; what arrived must be it.
        assert!(ended.is_ok(), "{name}: {ended:?}");
        assert_eq!(
            answer.first(),
            Some(&0x88),
            "{name}: a close frame: {answer:?}"
        );
        assert_eq!(answer.get(2..4), Some(&1002u16.to_be_bytes()[..]), "{name}");
        bystander.nothing_more().await;
    }
}

#[tokio::test]
async fn half_a_frame_and_away() {
    let server = Server::test(1).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    for bytes in [
        &b"\x81"[..],
        b"\x81\xff\x00\x00\x00\x00\x00\x0f\xff\xff\x00\x00\x00\x00{",
    ] {
        let mut stream = shake_hands(&server).await;
        stream.write_all(bytes).await.expect("sent");
        drop(stream);
        bystander.nothing_more().await;
    }
}

#[tokio::test]
async fn garbage_instead_of_http() {
    let server = Server::test(1).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"FORCE-RECONNECT\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        &[b'x'; 200_000],
    ] {
        let answer = request_bytes(server.address(), bytes).await;
        assert!(
            answer.status == 0 || (400..500).contains(&answer.status),
            "{answer:?}"
        );
        bystander.publish("a", json!(1)).await;
        bystander.messages("a", 1).await;
    }
}
