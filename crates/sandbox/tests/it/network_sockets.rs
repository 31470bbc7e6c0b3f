//! A sandbox that was taken over answers with other sockets than those of a gateway.

use std::fs::File;
use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

use crate::world::World;

/// Answers one call with this text and these descriptors beside it, in place of the agent.
fn answer_with(listener: &UnixListener, text: &str, descriptors: &[OwnedFd]) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut request = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut request).unwrap();
    let request: Value = serde_json::from_slice(&request).unwrap();
    assert_eq!(request, json!({"op": "sockets"}));
    let mut frame = (text.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(text.as_bytes());
    let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    assert!(beside.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let parts = [IoSlice::new(&frame)];
    sendmsg(&stream, &parts, &mut beside, SendFlags::NOSIGNAL).unwrap();
}

fn roles(roles: &[&str]) -> String {
    json!({"sockets": {"roles": roles}}).to_string()
}

/// What the host says about an answer.
async fn verdict(world: &World, text: String, descriptors: Vec<OwnedFd>) -> String {
    let socket = world.on_host("agent.sock");
    std::fs::remove_file(&socket).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let answering = std::thread::spawn(move || answer_with(&listener, &text, &descriptors));
    let given = world.sandbox.gateway_sockets().await;
    answering.join().unwrap();
    given.expect_err("it is not believed").to_string()
}

fn tcp() -> OwnedFd {
    TcpListener::bind("127.0.0.1:0").unwrap().into()
}

fn udp() -> OwnedFd {
    UdpSocket::bind("127.0.0.1:0").unwrap().into()
}

fn connected() -> OwnedFd {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TcpStream::connect(listener.local_addr().unwrap())
        .unwrap()
        .into()
}

fn file() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

fn unix() -> OwnedFd {
    let folder = tempfile::tempdir().unwrap();
    UnixListener::bind(folder.path().join("s")).unwrap().into()
}

#[tokio::test]
async fn sockets_that_are_no_gateways_are_refused() {
    let world = World::with_gateway().await;
    let all = ["intercepting", "proxy", "names"];
    let many = |count: usize| (0..count).map(|_| tcp()).collect::<Vec<_>>();
    let cases: Vec<(String, Vec<OwnedFd>, &str)> = vec![
        (
            roles(&all),
            vec![tcp(), tcp(), udp()],
            "the server's own network",
        ),
        (
            roles(&all),
            vec![connected(), tcp(), udp()],
            "of another kind",
        ),
        (roles(&all), vec![udp(), tcp(), udp()], "of another kind"),
        (roles(&["names"]), vec![tcp()], "of another kind"),
        (roles(&["proxy"]), vec![unix()], "not of the internet"),
        (roles(&["proxy"]), vec![file()], "non-socket"),
        (roles(&all), vec![tcp()], "not as many"),
        (roles(&["proxy"; 40]), many(40), "more of them"),
        ("{}".to_owned(), vec![], "broke the protocol"),
        (json!("started").to_string(), vec![tcp()], "not asked"),
    ];
    for (text, descriptors, expected) in cases {
        let verdict = verdict(&world, text.clone(), descriptors).await;
        let verdict = verdict.to_lowercase();
        assert!(verdict.contains(expected), "{text}: {verdict}");
    }
    world.end().await;
}
