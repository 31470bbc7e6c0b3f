//! Files over HTTP: forms, limits, and what may be downloaded.

use std::time::Duration;

use hostler_http::HttpOptions;
use serde_json::Value;

use crate::harness::{Call, Service, options};

const FORM: &str = "multipart/form-data; boundary=x";

fn part(head: &str, content: &str) -> String {
    format!("--x\r\ncontent-disposition: form-data; {head}\r\n\r\n{content}\r\n")
}

fn file_part(content: &str) -> String {
    part(
        "name=\"file\"; filename=\"dir/a.txt\"\r\ncontent-type: text/plain",
        content,
    )
}

fn upload<'s>(service: &'s Service, parts: &[String]) -> Call<'s> {
    let body = format!("{}--x--\r\n", parts.concat());
    service
        .request("POST /v1/files")
        .bytes(FORM, body.into_bytes())
}

fn path(file: &Value) -> String {
    format!("/v1/files/{}", file["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_upload_is_listed_and_deleted_but_not_downloaded() {
    let service = Service::start().await;
    let file = upload(&service, &[file_part("hello")]).ok().await;
    let expected = serde_json::json!({
        "id": file["id"], "type": "file", "filename": "a.txt", "mime_type": "text/plain",
        "size_bytes": 5, "created_at": file["created_at"], "downloadable": false,
        "expires_at": null, "scope": null,
    });
    assert_eq!(file, expected);
    assert_eq!(
        service.request(&format!("GET {}", path(&file))).ok().await,
        file
    );
    let listed = service.request("GET /v1/files").ok().await;
    assert_eq!(
        listed,
        serde_json::json!({"data": [file], "next_page": null})
    );
    let content = service.request(&format!("GET {}/content", path(&file)));
    let refused = content.send().await;
    assert_eq!(
        refused.error_code().as_deref(),
        Some("file_not_downloadable")
    );
    let delete = || service.request(&format!("DELETE {}", path(&file)));
    assert_eq!(delete().ok().await["type"], "file_deleted");
    assert_eq!(delete().send().await.failure().0, 404);
}

#[tokio::test]
async fn the_operator_may_allow_downloads() {
    let service = Service::with(HttpOptions {
        uploads_downloadable: true,
        ..options()
    })
    .await;
    let expiry = part("name=\"expires_in_seconds\"", "3600");
    let file = upload(&service, &[file_part("hello"), expiry]).ok().await;
    assert_eq!(file["downloadable"], true);
    let content = || service.request(&format!("GET {}/content", path(&file)));
    let answer = content().send().await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (200, "hello"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    service.env.advance(Duration::from_secs(3_600));
    let expired = content().send().await;
    assert_eq!(expired.status, 404);
    assert_eq!(expired.error_code().as_deref(), Some("file_expired"));
    service.request(&format!("GET {}", path(&file))).ok().await;
}

#[tokio::test]
async fn forms_that_are_not_as_they_should_be_are_refused() {
    let service = Service::start().await;
    let expiry = |text: &str| part("name=\"expires_in_seconds\"", text);
    let out_of_range = "expires_in_seconds: Input should be between 3600 and 7776000";
    let no_integer = "expires_in_seconds: Input should be a valid integer";
    for (parts, message) in [
        (vec![], "file: Field required"),
        (vec![expiry("3600")], "file: Field required"),
        (
            vec![file_part("a"), file_part("b")],
            "file: Input should be given once",
        ),
        (
            vec![part("name=\"purpose\"", "x")],
            "purpose: Extra inputs are not permitted",
        ),
        (vec![file_part("a"), expiry("3599")], out_of_range),
        (vec![expiry("7776001"), file_part("a")], out_of_range),
        (vec![expiry("soon"), file_part("a")], no_integer),
        (vec![expiry(&"1".repeat(1_000)), file_part("a")], no_integer),
        (
            vec![part("name=\"file\"; filename=\"a<b\"", "x")],
            "file: filename should not contain < > : \" | ? * \\ / or control characters",
        ),
    ] {
        let (status, _, given) = upload(&service, &parts).send().await.failure();
        assert_eq!((status, &*given), (400, message));
    }
    for (content_type, body) in [
        ("application/json", "{}"),
        ("multipart/form-data", "--x\r\n\r\n--x--"),
        (FORM, "--y--"),
        (
            FORM,
            "--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nhalf",
        ),
    ] {
        let call = service.request("POST /v1/files");
        let answer = call
            .bytes(content_type, body.as_bytes().to_vec())
            .send()
            .await;
        assert_eq!(answer.failure().0, 400, "{content_type} {body}");
    }
    let listed = service.request("GET /v1/files").ok().await;
    assert_eq!(listed["data"], serde_json::json!([]));
}

#[tokio::test]
async fn large_files_and_full_workspaces_are_refused() {
    let service = Service::with(HttpOptions {
        file_bytes_max: 10,
        storage_bytes_max: 15,
        ..options()
    })
    .await;
    let (status, kind, _) = upload(&service, &[file_part("12345678901")])
        .send()
        .await
        .failure();
    assert_eq!((status, &*kind), (413, "request_too_large"));
    upload(&service, &[file_part("1234567890")]).ok().await;
    let refused = upload(&service, &[file_part("123456")]).send().await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.error_code().as_deref(),
        Some("storage_quota_exceeded")
    );
    upload(&service, &[file_part("12345")]).ok().await;
}

#[tokio::test]
async fn an_endless_head_of_a_part_is_cut_off() {
    let service = Service::start().await;
    let line = format!("x-pad: {}\r\n", "p".repeat(1_000));
    let chunks = (0..10_000).map(move |number| {
        let text = if number == 0 {
            "--x\r\n".to_owned()
        } else {
            line.clone()
        };
        Ok::<_, std::convert::Infallible>(text)
    });
    let body = axum::body::Body::from_stream(futures::stream::iter(chunks));
    let answer = service
        .request("POST /v1/files")
        .stream(FORM, body)
        .send()
        .await;
    assert_eq!(answer.failure().0, 400);
}

#[tokio::test]
async fn chosen_ids_come_on_one_page() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let file = upload(&service, &[file_part("x")]).ok().await;
        ids.push(file["id"].as_str().unwrap().to_owned());
        service.env.advance(Duration::from_secs(1));
    }
    let list = |query: String| service.request(&format!("GET /v1/files?{query}"));
    let chosen = list(format!(
        "ids[]={0}&ids[]={1}&ids[]={0}&ids[]=file_x",
        ids[0], ids[2]
    ));
    let listed: Vec<Value> = serde_json::from_value(chosen.ok().await["data"].take()).unwrap();
    let listed: Vec<&str> = listed
        .iter()
        .filter_map(|file| file["id"].as_str())
        .collect();
    assert_eq!(listed, [&*ids[2], &*ids[0]]);
    let with_limit = list(format!("ids[]={}&limit=1", ids[0])).send().await;
    assert_eq!(with_limit.failure().0, 400);
    let many: Vec<String> = (0..101).map(|number| format!("ids[]={number}")).collect();
    assert_eq!(list(many.join("&")).send().await.failure().0, 400);
    let no_session = list("scope_id=sesn_011CZkZ9X2dpNyB7HsEFoRfW".into())
        .ok()
        .await;
    assert_eq!(no_session["data"], serde_json::json!([]));
    let no_beta = list("scope_id=sesn_011CZkZ9X2dpNyB7HsEFoRfW".into()).without("anthropic-beta");
    assert_eq!(no_beta.send().await.failure().0, 400);
}

#[tokio::test]
async fn the_older_list_goes_by_id_in_both_directions() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let file = upload(&service, &[file_part("x")]).ok().await;
        ids.push(file["id"].as_str().unwrap().to_owned());
        service.env.advance(Duration::from_secs(1));
    }
    ids.reverse();
    let beta = "files-api-2025-04-14";
    for (query, expected, has_more) in [
        ("limit=3".to_owned(), &ids[..3], true),
        (format!("limit=3&after_id={}", ids[2]), &ids[3..], false),
        (format!("limit=2&before_id={}", ids[3]), &ids[1..3], true),
        (format!("limit=3&before_id={}", ids[3]), &ids[..3], false),
    ] {
        let call = service.request(&format!("GET /v1/files?{query}"));
        let page = call.header("anthropic-beta", beta).ok().await;
        let data = page["data"].as_array().unwrap();
        let shown: Vec<&str> = data.iter().filter_map(|file| file["id"].as_str()).collect();
        assert_eq!(shown, expected, "{query}");
        assert_eq!(page["has_more"], has_more, "{query}");
        assert_eq!(page["first_id"], expected[0], "{query}");
        assert!(page.get("next_page").is_none(), "{query}");
    }
}
