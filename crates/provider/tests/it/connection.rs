//! Silence, slowness and going away.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hostler_provider::{
    Anthropic, AnthropicOptions, Chunk, HttpOptions, ModelErrorKind, OpenAi, OpenAiOptions,
    Provider, Vendor,
};
use hostler_testkit::{Gate, ModelScript, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::*;

#[tokio::test]
async fn silence_in_an_answer_is_a_stall() {
    let model = ModelScript::start().await;
    let gate = Gate::new();
    model.reply(Reply::text("half").and_wait(&gate));
    model.reply(Reply::text("half").and_wait(&gate));
    let options = AnthropicOptions {
        http: impatient(),
        ..anthropic_options(&model)
    };
    let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
    let error = failure(&provider, hello()).await;
    assert_eq!(error.kind, ModelErrorKind::Stalled);
    assert!(error.usage.is_some());
    model.abandoned(0).await;

    let options = OpenAiOptions {
        http: impatient(),
        ..openai_options(&model, Vendor::Generic)
    };
    let provider = Provider::OpenAi(OpenAi::new(options).expect("the options are good"));
    assert_eq!(
        failure(&provider, hello()).await.kind,
        ModelErrorKind::Stalled
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    // It accepts connections, through the backlog of the listener, and reads nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", silent.local_addr().expect("has an address"));
    let http = HttpOptions {
        first_byte_timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let options = AnthropicOptions {
        http,
        ..AnthropicOptions::new(address, key())
    };
    let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
    assert_eq!(
        failure(&provider, hello()).await.kind,
        ModelErrorKind::Timeout
    );
}

#[tokio::test]
async fn an_answer_of_nothing_but_pings_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
    let listener = listener.await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("has an address"));
    let pings = async {
        let (mut connection, _) = listener.accept().await.expect("a client");
        let asked = connection.read(&mut [0; 64 * 1024]).await;
        assert!(asked.is_ok_and(|bytes| bytes > 0));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let mut sent = connection.write_all(head.as_bytes()).await;
        while sent.is_ok() {
            tokio::task::yield_now().await;
            sent = connection.write_all(b": ping\n\n").await;
        }
    };
    let http = HttpOptions {
        answer_timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let options = AnthropicOptions {
        http,
        ..AnthropicOptions::new(address, key())
    };
    let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
    let (error, ()) = tokio::join!(failure(&provider, hello()), pings);
    assert_eq!(error.kind, ModelErrorKind::Timeout);
}

#[tokio::test]
async fn chunks_come_while_the_answer_is_on_its_way() {
    let model = ModelScript::start().await;
    let gate = Gate::new();
    model.reply(Reply::text("first").and_wait(&gate).and_text("second"));
    let mut stream = anthropic(&model).stream(Arc::new(hello()));
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Chunk::Block(_))) {
        seen.push(
            stream
                .next()
                .await
                .expect("not at its end")
                .expect("no failure"),
        );
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    gate.open();
    let (rest, error) = collect(stream).await;
    assert!(error.is_none());
    assert_eq!(
        outline(&rest).last().map(String::as_str),
        Some("finished EndTurn")
    );
    model.answered(0).await;
}

#[tokio::test]
async fn dropping_the_stream_ends_the_request() {
    let model = ModelScript::start().await;
    let gate = Gate::new();
    for provider in [anthropic(&model), openai(&model)] {
        let number = model.requests().len();
        model.reply(Reply::text("half").and_wait(&gate));
        let mut stream = provider.stream(Arc::new(hello()));
        while !matches!(stream.next().await, Some(Ok(Chunk::TextDelta { .. }))) {}
        drop(stream);
        model.abandoned(number).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_stream_is_polled() {
    let model = ModelScript::start().await;
    drop(anthropic(&model).stream(Arc::new(hello())));
    model.reply(Reply::text("hi"));
    answer(&anthropic(&model), hello()).await;
    assert_eq!(model.requests().len(), 1);
}
