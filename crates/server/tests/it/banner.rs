//! The banner, whole, because scripts and people read it.

use hostler_http::ApiKeyText;
use hostler_server::banner::{banner, base_url};
use hostler_server::first_start::FirstKey;

#[test]
fn the_first_start_shows_the_key() {
    let key = ApiKeyText::given("sk-hostler-1".to_owned());
    assert_eq!(
        banner("http://127.0.0.1:4180", &FirstKey::JustMade(key)),
        "
Hostler is ready.

  export ANTHROPIC_BASE_URL=http://127.0.0.1:4180
  export ANTHROPIC_API_KEY=sk-hostler-1

The key is shown this once; `hostler keys create` makes another.

Try it:

  curl -s $ANTHROPIC_BASE_URL/v1/models \\
    -H \"x-api-key: $ANTHROPIC_API_KEY\" -H 'anthropic-version: 2023-06-01'

or run any program that is written with an official Anthropic SDK.

"
    );
}

#[test]
fn later_starts_have_no_key_to_show() {
    let text = banner("http://127.0.0.1:4180", &FirstKey::Known);
    assert!(text.contains("`hostler keys create` makes one"), "{text}");
    assert!(
        !text.contains("export ANTHROPIC_API_KEY"),
        "nothing to paste: {text}"
    );
}

#[test]
fn the_address_is_one_that_a_client_can_use() {
    let from = |listening: &str| base_url(None, listening.parse().unwrap());
    assert_eq!(from("127.0.0.1:41"), "http://127.0.0.1:41");
    assert_eq!(from("0.0.0.0:41"), "http://127.0.0.1:41");
    assert_eq!(from("[::]:41"), "http://[::1]:41");
    let public = base_url(Some("https://h.example.com"), "0.0.0.0:41".parse().unwrap());
    assert_eq!(public, "https://h.example.com");
}
