//! What a sandbox's processes can reach: themselves, and a gateway behind every other address.

use hostler_sandbox::{GatewaySockets, Provenance, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use crate::world::{CleanUp, World, bash, behind_a_gateway, name, ok};

/// A gateway that tells each program which address it asked for, and nothing else.
struct Gateway {
    /// Ends with it.
    _accepting: JoinSet<()>,
    names: UdpSocket,
}

impl Gateway {
    async fn of(sandbox: &Sandbox) -> Self {
        let GatewaySockets {
            intercepting,
            proxy,
            names,
        } = sandbox
            .gateway_sockets()
            .await
            .expect("an answer")
            .expect("its sockets");
        let mut accepting = JoinSet::new();
        for listener in intercepting.into_iter().chain([proxy]) {
            let listener = TcpListener::from_std(listener).unwrap();
            accepting.spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let asked = stream.local_addr().unwrap();
                    let _ = stream.write_all(format!("{asked}\n").as_bytes()).await;
                    let _ = stream.shutdown().await;
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            });
        }
        Self {
            _accepting: accepting,
            names: UdpSocket::from_std(names).unwrap(),
        }
    }
}

/// Prints what the other side of a connection says.
fn connect(host: &str, port: u16) -> String {
    format!("( exec 3<>/dev/tcp/{host}/{port} && cat <&3 )")
}

/// A script, run inside.
async fn python(world: &World, script: &str) -> String {
    let input = serde_json::json!({"file_path": "try.py", "content": script});
    world.tool("write", input).await;
    world.sh("/usr/bin/python3 try.py").await
}

#[tokio::test]
async fn a_connection_to_any_address_and_port_reaches_the_gateway() {
    let world = World::with_gateway().await;
    let _gateway = Gateway::of(&world.sandbox).await;
    // A server of this machine, which must not be reached.
    let mine = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own_port = mine.local_addr().unwrap().port();
    let addresses = [
        ("93.184.216.34", 443),
        ("93.184.216.34", 41234),
        ("169.254.169.254", 80),
        ("10.0.0.1", own_port),
        ("192.168.1.1", 9418),
        ("198.18.0.7", 22),
    ];
    for (host, port) in addresses {
        ok(
            &world.bash(&connect(host, port)).await,
            &format!("{host}:{port}\n"),
        );
    }
    for host in ["2001:db8::1", "fd00::1"] {
        let asked = world.sh(&connect(host, 443)).await;
        assert!(asked.starts_with(&format!("[{host}")), "{asked}");
    }
    ok(
        &world.bash(&connect("127.0.0.1", 3128)).await,
        "127.0.0.1:3128\n",
    );
    assert!(world.bash(&connect("127.0.0.1", own_port)).await.is_error);
    mine.set_nonblocking(true).unwrap();
    assert!(mine.accept().is_err());
    world.end().await;
}

#[tokio::test]
async fn names_are_asked_of_the_gateway_alone() {
    let world = World::with_gateway().await;
    let gateway = Gateway::of(&world.sandbox).await;
    let mut question = [0; 512];
    let (_, received) = tokio::join!(
        world.bash("timeout 1 getent ahostsv4 registry.test"),
        gateway.names.recv_from(&mut question)
    );
    let (length, _) = received.unwrap();
    let asked = &question[..length];
    assert!(
        asked.windows(8).any(|part| part == b"registry"),
        "{asked:?}"
    );
    world.end().await;
}

const DATAGRAMS: &str = r#"
import socket
for family, host, port in [(socket.AF_INET, '8.8.8.8', 53), (socket.AF_INET, '1.1.1.1', 443),
                           (socket.AF_INET, '169.254.169.254', 123), (socket.AF_INET6, '2001:db8::1', 53)]:
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(5)
    s.connect((host, port))
    try:
        s.send(b'x'); s.recv(1); print('open', host, port)
    except ConnectionRefusedError: pass
for kind in [(socket.AF_INET, socket.SOCK_DGRAM, 1), (socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW, 0)]:
    try: socket.socket(*kind); print('open', kind)
    except PermissionError: pass
print('done')
"#;

#[tokio::test]
async fn datagrams_quic_and_ping_are_refused_at_once() {
    let world = World::with_gateway().await;
    let _gateway = Gateway::of(&world.sandbox).await;
    assert_eq!(python(&world, DATAGRAMS).await, "done");
    world.end().await;
}

/// Everything that would take the way out away from the gateway, or from its rules.
const CHANGES: &str = r#"
import errno, socket, struct
def request(kind, flags, body):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    s.settimeout(5)
    s.send(struct.pack('=IHHII', 16 + len(body), kind, flags | 5, 1, 0) + body)
    answer = s.recv(8192)
    return -struct.unpack_from('=i', answer, 16)[0]
route = struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 255, 4, 254, 2, 0)
refused = {'delete route': request(25, 0, route), 'add route': request(24, 0x400, route),
    'link down': request(16, 0, struct.pack('=BBHiII', 0, 0, 0, 1, 0, 1)),
    'add link': request(16, 0x400, struct.pack('=BBHiII', 0, 0, 0, 0, 0, 0) + struct.pack('=HH', 4 + 8, 18 | 0x8000) + struct.pack('=HH', 8, 1) + b'veth'),
    'add address': request(20, 0x400, struct.pack('=BBBBI', 2, 8, 0, 0, 1) + struct.pack('=HH4s', 8, 1, b'\x0a\0\0\1'))}
for what, code in refused.items():
    if code != errno.EPERM: print('open:', what, code)
def attempt(what, *steps):
    try:
        for step in steps: step()
        print('open:', what)
    except (PermissionError, OSError) as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.EADDRINUSE): print('odd:', what, error)
attempt('netfilter', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12))
for host, port in [('127.0.0.1', 3128), ('0.0.0.0', 3128), ('127.0.0.1', 1), ('0.0.0.0', 1), ('93.184.216.34', 443)]:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    attempt((host, port), lambda: s.bind((host, port)), lambda: s.listen())
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
attempt('name server', lambda: s.bind(('127.0.0.53', 53)))
s = socket.socket()
attempt('transparent', lambda: s.setsockopt(socket.SOL_IP, 19, 1))
attempt('mark', lambda: s.setsockopt(socket.SOL_SOCKET, 36, 1))
print('done')
"#;

#[tokio::test]
async fn nothing_inside_can_change_the_way_out() {
    let world = World::with_gateway().await;
    let _gateway = Gateway::of(&world.sandbox).await;
    assert_eq!(python(&world, CHANGES).await, "done");
    ok(
        &world.bash(&connect("93.184.216.34", 443)).await,
        "93.184.216.34:443\n",
    );
    world.end().await;
}

const OWN_SERVERS: &str = r#"
import socket, threading
def serve(s):
    while True:
        c, _ = s.accept(); c.sendall(b'mine\n'); c.close()
def ask(host, port):
    return socket.create_connection((host, port), 5).makefile().read().strip()
for family, host in [(socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::1'), (socket.AF_INET, '127.0.0.1')]:
    s = socket.socket(family); s.bind((host, 0)); s.listen()
    threading.Thread(target=serve, args=(s,), daemon=True).start()
    port = s.getsockname()[1]
    print(ask('::1' if family == socket.AF_INET6 else '127.0.0.1', port))
    if OUT: print(ask('93.184.216.34', port).rsplit(':')[0])
"#;

#[tokio::test]
async fn servers_inside_are_reached_on_localhost_and_nowhere_else() {
    let world = World::with_gateway().await;
    let _gateway = Gateway::of(&world.sandbox).await;
    let told = python(&world, &format!("OUT = True\n{OWN_SERVERS}")).await;
    assert_eq!(told, ["mine\n93.184.216.34"; 3].join("\n"));
    world.end().await;
}

#[tokio::test]
async fn without_a_gateway_there_is_only_localhost() {
    let world = World::new().await;
    let told = python(&world, &format!("OUT = False\n{OWN_SERVERS}")).await;
    assert_eq!(told, ["mine"; 3].join("\n"));
    for host in ["93.184.216.34", "169.254.169.254", "2001:db8::1"] {
        let output = world.bash(&connect(host, 443)).await;
        assert!(output.joined_text().contains("unreachable"), "{output:?}");
    }
    let sockets = world.sandbox.gateway_sockets().await.expect("an answer");
    assert!(sockets.is_none());
    world.end().await;
}

#[tokio::test]
async fn programs_that_know_of_proxies_are_told_of_the_gateway() {
    let world = World::with_gateway().await;
    ok(
        &world.bash("env | grep -i proxy | sort").await,
        "HTTPS_PROXY=http://127.0.0.1:3128\nHTTP_PROXY=http://127.0.0.1:3128\n\
         NO_PROXY=localhost,127.0.0.1,::1\nhttp_proxy=http://127.0.0.1:3128\n\
         https_proxy=http://127.0.0.1:3128\nno_proxy=localhost,127.0.0.1,::1\n",
    );
    ok(
        &world.bash("cat /etc/resolv.conf").await,
        "nameserver 127.0.0.53\n",
    );
    world.end().await;
}

#[tokio::test]
async fn the_next_server_goes_on_where_the_gateway_was() {
    let world = World::with_gateway().await;
    let gateway = Gateway::of(&world.sandbox).await;
    world.sh(&connect("93.184.216.34", 443)).await;
    drop(gateway);
    // Sent while nobody is there to take it.
    world
        .sh(&format!(
            "{} > waited & sleep 0",
            connect("93.184.216.34", 80)
        ))
        .await;
    let (host, _state) = world.restart_server().await;
    let _clean_up = CleanUp::of(&host);
    let opened = host.open(&name("one"), &behind_a_gateway()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Attached);
    let _gateway = Gateway::of(&opened.sandbox).await;
    let command = format!("wait; cat waited; {}", connect("93.184.216.34", 443));
    ok(
        &bash(&opened.sandbox, &command).await,
        "93.184.216.34:80\n93.184.216.34:443\n",
    );
}
