//! The list of models over HTTP.

use serde_json::json;

use crate::harness::Service;

#[tokio::test]
async fn a_model_has_every_field() {
    let service = Service::start().await;
    let model = json!({
        "type": "model", "id": "test-model", "display_name": "test-model",
        "created_at": "1970-01-01T00:00:00.000000Z", "lifecycle": "active", "line": null,
        "max_input_tokens": null, "max_tokens": null, "capabilities": null,
        "deprecated_at": null, "retires_at": null, "allowed_fallback_models": null,
    });
    let listed = service.request("GET /v1/models").ok().await;
    let page = json!({"data": [model], "has_more": false, "first_id": "test-model",
                      "last_id": "test-model"});
    assert_eq!(listed, page);
    let read = service.request("GET /v1/models/test-model").ok().await;
    assert_eq!(read, model);
    let retired = service
        .request("GET /v1/models?lifecycle[]=retired")
        .ok()
        .await;
    assert_eq!(retired["data"], json!([]));
    let missing = service.request("GET /v1/models/other").send().await;
    assert_eq!(missing.failure().0, 404);
    let refused = service
        .request("GET /v1/models?lifecycle[]=young")
        .send()
        .await;
    assert_eq!(refused.failure().0, 400);
}
