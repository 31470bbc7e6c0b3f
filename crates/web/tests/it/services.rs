//! Each service: what it is asked, what is understood of its answer, and what of its refusals.

use std::time::Duration;

use hostler_web::{Hit, Query, SearchError, SearchService};
use serde_json::json;

use crate::stub::Stub;

fn all() -> [SearchService; 5] {
    [
        SearchService::Searxng,
        SearchService::Brave,
        SearchService::Tavily,
        SearchService::Exa,
        anthropic_service(),
    ]
}

fn anthropic_service() -> SearchService {
    SearchService::Anthropic {
        model: "claude-haiku-4-5".to_owned(),
    }
}

fn query() -> Query {
    Query {
        text: "rust & more".to_owned(),
        allowed_domains: vec!["example.com".to_owned(), "example.org/docs".to_owned()],
        blocked_domains: Vec::new(),
        country: Some("DE".to_owned()),
    }
}

fn hit(url: &str, title: &str, snippet: &str) -> Hit {
    Hit {
        url: url.to_owned(),
        title: title.to_owned(),
        snippet: snippet.to_owned(),
    }
}

#[tokio::test]
async fn searxng() {
    let answer = json!({
        "query": "rust", "number_of_results": 0,
        "results": [
            {"url": "https://example.com/a", "title": "A", "content": "about\n a\u{0}", "engine": "x",
             "template": "default.html", "parsed_url": ["https", "example.com", "/a", "", "", ""],
             "engines": ["x"], "positions": [1], "score": 1.0, "category": "general"},
            {"url": "magnet:?xt=1", "title": "no page", "content": ""},
            {"url": "https://example.com/b", "title": "B", "publishedDate": null},
        ],
        "answers": [], "corrections": [], "infoboxes": [], "suggestions": [], "unresponsive_engines": [["y", "timeout"]],
    });
    let stub = Stub::answering(200, &answer.to_string()).await;
    let hits = stub.search(SearchService::Searxng, &query()).await.unwrap();
    assert_eq!(
        hits,
        [
            hit("https://example.com/a", "A", "about a\u{fffd}"),
            hit("https://example.com/b", "B", "")
        ]
    );
    let asked = &stub.asked()[0];
    assert_eq!(asked.uri.path(), "/search");
    let sent = asked.uri.query().unwrap();
    assert!(sent.contains("format=json"), "{sent}");
    assert!(
        sent.starts_with("q=rust+%26+more+%28site%3Aexample.com+OR+site%3Aexample.org%2Fdocs%29"),
        "{sent}"
    );
}

#[tokio::test]
async fn searxng_without_json_says_what_to_do() {
    let stub = Stub::answering(403, "Forbidden").await;
    let error = stub.search(SearchService::Searxng, &query()).await;
    assert!(error.unwrap_err().to_string().contains("search.formats"));
}

#[tokio::test]
async fn brave() {
    let answer = json!({
        "type": "search", "query": {"original": "rust", "more_results_available": true},
        "mixed": {"type": "mixed", "main": [{"type": "web", "index": 0, "all": false}]},
        "web": {"type": "search", "family_friendly": true, "results": [
            {"type": "search_result", "subtype": "generic", "url": "https://example.com/a", "title": "A",
             "description": "about a", "extra_snippets": ["more of a"], "age": "2 days ago", "language": "en",
             "profile": {"name": "x"}, "meta_url": {"scheme": "https"}},
        ]},
    });
    let stub = Stub::answering(200, &answer.to_string()).await;
    let hits = stub.search(SearchService::Brave, &query()).await.unwrap();
    assert_eq!(
        hits,
        [hit("https://example.com/a", "A", "about a … more of a")]
    );
    let asked = &stub.asked()[0];
    assert_eq!(asked.uri.path(), "/res/v1/web/search");
    assert!(asked.uri.query().unwrap().contains("count=5"));
    assert_eq!(asked.header("x-subscription-token"), Some("the-key"));
    assert_eq!(asked.header("x-loc-country"), Some("DE"));
    let nothing = Stub::answering(200, &json!({"type": "search"}).to_string()).await;
    assert_eq!(
        nothing.search(SearchService::Brave, &query()).await,
        Ok(vec![])
    );
}

#[tokio::test]
async fn tavily() {
    let answer = json!({
        "query": "rust", "answer": null, "images": [], "response_time": 1.2, "request_id": "r",
        "results": [{"title": "A", "url": "https://example.com/a", "content": "about a", "score": 0.9,
                     "raw_content": null, "favicon": "https://example.com/favicon.ico"}],
    });
    let stub = Stub::answering(200, &answer.to_string()).await;
    let hits = stub.search(SearchService::Tavily, &query()).await.unwrap();
    assert_eq!(hits, [hit("https://example.com/a", "A", "about a")]);
    let asked = &stub.asked()[0];
    assert_eq!(asked.uri.path(), "/search");
    assert_eq!(asked.header("authorization"), Some("Bearer the-key"));
    assert_eq!(
        asked.json(),
        json!({"query": "rust & more", "max_results": 5,
               "include_domains": ["example.com", "example.org"], "exclude_domains": []})
    );
    let used_up = Stub::answering(432, "{\"detail\": {\"error\": \"plan\"}}").await;
    let error = used_up.search(SearchService::Tavily, &query()).await;
    assert_eq!(error.unwrap_err().code(), "unavailable");
}

#[tokio::test]
async fn exa() {
    let answer = json!({
        "requestId": "r", "resolvedSearchType": "neural", "costDollars": {"total": 0.005},
        "results": [
            {"id": "https://example.com/a", "url": "https://example.com/a", "title": "A", "author": null,
             "publishedDate": "2026-01-01T00:00:00.000Z", "score": 0.2, "highlights": ["about", "a"],
             "highlightScores": [0.4, 0.3]},
            {"id": "https://example.com/b", "url": "https://example.com/b", "title": null, "text": "b itself"},
        ],
    });
    let stub = Stub::answering(200, &answer.to_string()).await;
    let hits = stub.search(SearchService::Exa, &query()).await.unwrap();
    assert_eq!(
        hits,
        [
            hit("https://example.com/a", "A", "about … a"),
            hit("https://example.com/b", "https://example.com/b", "b itself")
        ]
    );
    let asked = &stub.asked()[0];
    assert_eq!(asked.uri.path(), "/search");
    assert_eq!(asked.header("x-api-key"), Some("the-key"));
    assert_eq!(
        asked.json(),
        json!({"query": "rust & more", "numResults": 5, "contents": {"highlights": true},
               "includeDomains": ["example.com", "example.org"], "userLocation": "DE"})
    );
}

#[tokio::test]
async fn anthropic() {
    let found = |url: &str, title: &str| {
        json!({"type": "web_search_result", "url": url, "title": title, "encrypted_content": "Eq==",
               "page_age": "2 days ago"})
    };
    let cited = |url: &str, text: &str| {
        json!({"type": "web_search_result_location", "url": url, "title": "A", "encrypted_index": "Ei==",
               "cited_text": text})
    };
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
        "content": [
            {"type": "text", "text": "I'll search."},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rust & more"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                found("https://example.com/a", "A"), found("https://example.com/b", "B")]},
            {"type": "text", "text": "A says so.", "citations": [
                cited("https://example.com/a", "about"), cited("https://example.com/a", "a")]},
            {"type": "text", "text": "Nothing of B.", "citations": null},
        ],
        "usage": {"input_tokens": 9, "output_tokens": 9, "server_tool_use": {"web_search_requests": 1}},
    });
    let stub = Stub::answering(200, &answer.to_string()).await;
    let hits = stub.search(anthropic_service(), &query()).await.unwrap();
    assert_eq!(
        hits,
        [
            hit("https://example.com/a", "A", "about … a"),
            hit("https://example.com/b", "B", "")
        ]
    );
    let asked = &stub.asked()[0];
    assert_eq!(asked.uri.path(), "/v1/messages");
    assert_eq!(asked.header("x-api-key"), Some("the-key"));
    assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
    let body = asked.json();
    assert_eq!(
        (&body["model"], &body["messages"]),
        (
            &json!("claude-haiku-4-5"),
            &json!([{"role": "user", "content": "rust & more"}])
        )
    );
    assert_eq!(
        body["tools"],
        json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 1,
                "allowed_domains": ["example.com", "example.org"],
                "user_location": {"type": "approximate", "country": "DE"}}])
    );
    let failed = json!({"type": "web_search_tool_result_error", "error_code": "unavailable"});
    for content in [
        json!([{"type": "text", "text": "I know that."}]),
        json!([{"type": "web_search_tool_result", "tool_use_id": "t", "content": failed}]),
    ] {
        let answer = json!({ "content": content }).to_string();
        let stub = Stub::answering(200, &answer).await;
        let error = stub.search(anthropic_service(), &query()).await;
        assert_eq!(error.unwrap_err().code(), "unavailable");
    }
    let unknown = Stub::answering(404, "{}").await;
    let error = unknown.search(anthropic_service(), &query()).await;
    assert!(error.unwrap_err().to_string().contains("web.search_model"));
}

#[tokio::test]
async fn what_is_blocked_is_told_to_each_service_in_its_way() {
    let query = Query {
        text: "rust".to_owned(),
        blocked_domains: vec!["example.com".to_owned(), "example.org/docs".to_owned()],
        ..Query::default()
    };
    let nothing = json!({
        "results": [], "type": "search", "content": [{"type": "web_search_tool_result", "content": []}],
    });
    let stub = Stub::answering(200, &nothing.to_string()).await;
    for service in all() {
        stub.search(service, &query).await.unwrap();
    }
    let asked = stub.asked();
    let words = "q=rust+-site%3Aexample.com+-site%3Aexample.org%2Fdocs&";
    assert!(asked[0].uri.query().unwrap().starts_with(words));
    assert!(asked[1].uri.query().unwrap().starts_with(words));
    // One page of a domain is no reason to leave out all of it.
    assert_eq!(asked[2].json()["exclude_domains"], json!(["example.com"]));
    assert_eq!(asked[3].json()["excludeDomains"], json!(["example.com"]));
    let tool = &asked[4].json()["tools"][0];
    assert_eq!(tool["blocked_domains"], json!(["example.com"]));
}

#[tokio::test]
async fn refusals_have_a_word_and_no_key_in_them() {
    for service in all() {
        let busy = Stub::with_headers(429, "{}", vec![("retry-after", "7")]).await;
        assert_eq!(
            busy.search(service.clone(), &query()).await,
            Err(SearchError::TooManyRequests {
                retry_after: Some(Duration::from_secs(7))
            })
        );
        for (status, body) in [
            (401, "no"),
            (500, "the-key"),
            (302, ""),
            (200, "<html>"),
            (200, "{}"),
        ] {
            let stub =
                Stub::with_headers(status, body, vec![("location", "http://127.0.0.1:9/")]).await;
            let Err(error) = stub.search(service.clone(), &query()).await else {
                // An empty answer is one of Brave's that found nothing only if it says so.
                panic!("{service:?} took {status} {body}");
            };
            assert_eq!(error.code(), "unavailable", "{service:?} {status}");
            assert!(!error.to_string().contains("the-key"), "{error}");
            assert_eq!(stub.asked().len(), 1, "a search is never made twice");
        }
        let long = Query {
            text: "x".repeat(1_001),
            ..Query::default()
        };
        let stub = Stub::answering(200, "{}").await;
        assert_eq!(
            stub.search(service, &long).await.unwrap_err().code(),
            "query_too_long"
        );
        assert!(stub.asked().is_empty());
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_given_up() {
    let endless = format!("{{\"results\": [\"{}\"]}}", "x".repeat(5 * 1024 * 1024));
    let stub = Stub::answering(200, &endless).await;
    let error = stub.search(SearchService::Exa, &query()).await.unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
}
