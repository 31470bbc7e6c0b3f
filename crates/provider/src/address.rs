//! Where a request goes and what it carries: base addresses and headers from the configuration,
//! checked once when a provider is made.

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::api_key::{ApiKey, Auth};
use crate::error::{ModelError, ModelErrorKind};

pub(crate) fn endpoint(base_url: &str, path: &str) -> Result<Url, ModelError> {
    let text = format!("{}/{path}", base_url.trim_end_matches('/'));
    let url = Url::parse(&text).map_err(|error| unusable("base_url", &error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return Err(unusable(
            "base_url",
            "it must be http or https, without a query",
        ));
    }
    Ok(url)
}

/// Adds the credential, and the type of every body.
pub(crate) fn add_auth(
    headers: &mut HeaderMap,
    key_header: &'static str,
    auth: &Auth,
) -> Result<(), ModelError> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let (name, value) = match auth {
        Auth::None => return Ok(()),
        Auth::Header(key) => (HeaderName::from_static(key_header), key.expose().to_owned()),
        Auth::Bearer(key) => (AUTHORIZATION, format!("Bearer {}", key.expose())),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_invalid| unusable("the credential", "it has characters that no header takes"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

pub(crate) fn add_headers(
    headers: &mut HeaderMap,
    extra: &[(String, ApiKey)],
) -> Result<(), ModelError> {
    for (name, value) in extra {
        let name = HeaderName::try_from(name)
            .map_err(|_invalid| unusable("headers", "a name is no header name"))?;
        let mut value = header_value(value.expose())?;
        // Gateways take their credentials in headers of their own.
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}

pub(crate) fn header_value(text: &str) -> Result<HeaderValue, ModelError> {
    HeaderValue::from_str(text)
        .map_err(|_invalid| unusable("headers", "a value has characters that no header takes"))
}

fn unusable(what: &str, why: &str) -> ModelError {
    let message = format!("{what} of a model provider cannot be used: {why}");
    ModelError::new(ModelErrorKind::NotConfigured, message)
}
