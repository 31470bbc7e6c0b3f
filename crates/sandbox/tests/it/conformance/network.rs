//! What of the network is there: nothing, or a gateway behind every address.

use hostler_sandbox::Network;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::world::{World, bash, behind_a_gateway, name, ok};

const CONNECT: &str = "exec 3<>/dev/tcp/93.184.216.34/443 && cat <&3";

pub(super) async fn there_is_a_gateway_or_nothing(world: World) {
    assert!(matches!(
        world.host.isolation().network,
        Network::Gateway { .. }
    ));
    let alone = world.bash(CONNECT).await;
    assert!(alone.is_error, "{alone:?}");
    let two = name("two");
    let opened = world.host.open(&two, &behind_a_gateway()).await.unwrap();
    let sockets = opened.sandbox.gateway_sockets().await.unwrap();
    let mut accepting = JoinSet::new();
    for listener in sockets.expect("a gateway").intercepting {
        let listener = TcpListener::from_std(listener).unwrap();
        accepting.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = stream.local_addr().unwrap();
            stream
                .write_all(asked.to_string().as_bytes())
                .await
                .unwrap();
        });
    }
    ok(&bash(&opened.sandbox, CONNECT).await, "93.184.216.34:443");
    ok(
        &bash(&opened.sandbox, "cat /etc/resolv.conf").await,
        "nameserver 127.0.0.53\n",
    );
    let power = "ip route del local default table local";
    assert!(bash(&opened.sandbox, power).await.is_error);
    drop(opened);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}
