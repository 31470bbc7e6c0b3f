//! Exec, as the API offers it over a WebSocket with `v5.channel.k8s.io`: each message begins with
//! the number of a stream.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::unix;
use tokio::net::{TcpStream, UnixStream};

pub(super) async fn serve(
    client: BufReader<TcpStream>,
    engine: &Path,
    container: &str,
    command: Vec<String>,
) -> io::Result<()> {
    let mut client = client;
    let body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": false,
        "Cmd": command,
    });
    let made = ask(
        engine,
        "POST",
        &format!("/containers/{container}/exec"),
        &body,
    )
    .await?;
    let Some(id) = made["Id"].as_str() else {
        let body = json!({"kind": "Status", "status": "Failure", "code": 404,
                          "message": format!("container not found: {made}")});
        let text = body.to_string();
        let head = format!(
            "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        client.write_all(head.as_bytes()).await?;
        return client.flush().await;
    };
    let attached = attach(engine, id).await?;
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n";
    client.write_all(head.as_bytes()).await?;
    client.flush().await?;
    assert!(
        client.buffer().is_empty(),
        "it speaks before it is answered"
    );
    let (mut from_client, mut to_client) = client.into_inner().into_split();
    let (from_process, to_process) = attached.into_split();
    {
        let mut incoming = std::pin::pin!(incoming(&mut from_client, to_process));
        // The end of the client is told to the process; that of the process has an outcome.
        let outgoing = outgoing(from_process, &mut to_client);
        let mut outgoing = std::pin::pin!(outgoing);
        tokio::select! {
            told = &mut outgoing => told?,
            _ = &mut incoming => outgoing.await?,
        }
    }
    let ended = ask(engine, "GET", &format!("/exec/{id}/json"), &Value::Null).await?;
    let outcome = match ended["ExitCode"].as_i64() {
        Some(0) => json!({"status": "Success"}),
        code => json!({"status": "Failure", "message": format!("exit code {code:?}")}),
    };
    send(&mut to_client, 3, outcome.to_string().as_bytes()).await?;
    to_client.write_all(&[0x88, 2, 3, 232]).await?;
    to_client.shutdown().await?;
    // A connection that is closed with something unread takes along what is on its way.
    tokio::io::copy(&mut from_client, &mut tokio::io::sink())
        .await
        .map(drop)
}

async fn ask(engine: &Path, method: &str, path: &str, body: &Value) -> io::Result<Value> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = UnixStream::connect(engine).await?;
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: d\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(serde_json::from_str(body).unwrap_or_default())
}

/// The streams of the process, once it runs.
async fn attach(engine: &Path, id: &str) -> io::Result<UnixStream> {
    let body = r#"{"Detach":false,"Tty":false}"#;
    let request = format!(
        "POST /exec/{id}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = UnixStream::connect(engine).await?;
    stream.write_all(request.as_bytes()).await?;
    // By the byte: what follows the head belongs to the process.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    Ok(stream)
}

/// From the client's frames, which are masked, to what the process reads.
async fn incoming(from: &mut OwnedReadHalf, mut to: unix::OwnedWriteHalf) -> io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        if from.fill_buf().await?.is_empty() {
            return to.shutdown().await;
        }
        let (kind, content) = frame(&mut from).await?;
        match (kind, content.split_first()) {
            (0x82, Some((0, written))) => to.write_all(written).await?,
            (0x82, Some((255, [0]))) => to.shutdown().await?,
            (0x88, _) => return to.shutdown().await,
            // A ping, and the answer to one.
            (0x89 | 0x8a, _) => {}
            (kind, content) => panic!("a frame of kind {kind} with {content:?}"),
        }
    }
}

async fn frame(from: &mut BufReader<&mut OwnedReadHalf>) -> io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await?;
    let length = from.read_u8().await?;
    assert!(length & 0x80 != 0, "a client has to mask what it sends");
    let length = match length & 0x7f {
        126 => u64::from(from.read_u16().await?),
        127 => from.read_u64().await?,
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    from.read_exact(&mut mask).await?;
    let mut content = vec![0; usize::try_from(length).unwrap()];
    from.read_exact(&mut content).await?;
    for (byte, mask) in content.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((kind, content))
}

/// From what the process writes, which the engine marks with its stream and length.
async fn outgoing(mut from: unix::OwnedReadHalf, to: &mut OwnedWriteHalf) -> io::Result<()> {
    loop {
        let mut head = [0; 8];
        match from.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => drop(read?),
        }
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let mut content = vec![0; length as usize];
        from.read_exact(&mut content).await?;
        // Pings come at any time.
        to.write_all(&[0x89, 1, b'p']).await?;
        send(to, head[0], &content).await?;
    }
}

async fn send(to: &mut OwnedWriteHalf, stream: u8, content: &[u8]) -> io::Result<()> {
    let length = content.len() + 1;
    let mut frame = vec![0x82];
    match u16::try_from(length) {
        Ok(short) if short < 126 => frame.push(short as u8),
        Ok(middle) => {
            frame.push(126);
            frame.extend_from_slice(&middle.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.push(stream);
    frame.extend_from_slice(content);
    to.write_all(&frame).await
}
