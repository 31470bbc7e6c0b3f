//! The ids in a path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::ApiError;

/// The one id of a path such as `/v1/agents/{agent_id}`. Text that can't be an id of this kind
/// names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for PathId<T>
where
    S: Send + Sync,
    T: FromStr,
    ApiError: From<T::Err>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Ok(Path(text)) = path else {
            return Err(ApiError::no_such_route("Not found"));
        };
        Ok(Self(text.parse()?))
    }
}

/// The two ids of a path such as `/v1/sessions/{session_id}/resources/{resource_id}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathIds<T, U>(pub(crate) T, pub(crate) U);

impl<S, T, U> FromRequestParts<S> for PathIds<T, U>
where
    S: Send + Sync,
    T: FromStr,
    U: FromStr,
    ApiError: From<T::Err> + From<U::Err>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Ok(Path((outer, inner))) = path else {
            return Err(ApiError::no_such_route("Not found"));
        };
        Ok(Self(outer.parse()?, inner.parse()?))
    }
}
