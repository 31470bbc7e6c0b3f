//! As whom an agent acts towards clouds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};
use crate::limits::ROLE_ARN_CHARS;

/// Always present in responses; omitted, null and `service_account` are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExecutionIdentity {
    #[default]
    ServiceAccount,
    AwsRole {
        role_arn: String,
    },
}

impl ExecutionIdentity {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let identity = match fields.tag()? {
            "service_account" => Self::ServiceAccount,
            "aws_role" => Self::AwsRole {
                role_arn: fields.required("role_arn", |at| at.text(ROLE_ARN_CHARS))?,
            },
            other => return Err(fields.unknown_tag(other, &["service_account", "aws_role"])),
        };
        fields.finish()?;
        Ok(identity)
    }
}
