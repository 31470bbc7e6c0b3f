//! The OpenAPI document of what this version serves, made from the route table and the types.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hostler_protocol::agent::SessionMultiagent;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Paths,
    Ref, RefOr, Required, ResponseBuilder, Schema,
};

use crate::operation::{Answer, Input, Operation, SchemaOf};
use crate::routes;

const JSON: &str = "application/json";

/// The document as JSON. Made once: it is a constant of the program.
pub(crate) fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut text = describe(&routes::all().list)
            .to_pretty_json()
            .unwrap_or_default();
        text.push('\n');
        text
    });
    &DOCUMENT
}

type Schemas = BTreeMap<String, RefOr<Schema>>;

fn describe(operations: &[Operation]) -> OpenApi {
    let mut schemas = Schemas::new();
    let mut paths = Paths::new();
    let error = reference(
        &mut schemas,
        &SchemaOf::of::<hostler_protocol::ApiErrorBody>(),
    );
    for operation in operations {
        let Some(shape) = &operation.shape else {
            continue;
        };
        let success = ContentBuilder::new();
        let (content_type, success) = match &shape.answer {
            // Each frame's data is one event; `itemSchema` says so in OpenAPI 3.2 only.
            Answer::EventStream(of) => {
                let item = reference(&mut schemas, of);
                ("text/event-stream", success.schema(Some(item)))
            }
            Answer::Bytes => ("application/octet-stream", success),
            answer @ (Answer::One(_)
            | Answer::Page(_)
            | Answer::TwoWayPage(_)
            | Answer::IdPage(_)) => {
                let schema = answer_schema(&mut schemas, answer);
                (JSON, success.schema(Some(schema)))
            }
        };
        let ok = ResponseBuilder::new().content(content_type, success.build());
        let failure = ContentBuilder::new().schema(Some(error.clone())).build();
        let failed = ResponseBuilder::new().content(JSON, failure);
        let tag = operation.name.split('.').next().unwrap_or_default();
        let described = OperationBuilder::new()
            .operation_id(Some(operation.name))
            .tag(tag)
            .parameters(Some(parameters(operation.path, shape.query)))
            .request_body(request_body(shape.input))
            .response("200", ok.description("success").build())
            .response("default", failed.description("an error").build());
        let method = match operation.method.as_str() {
            "POST" => HttpMethod::Post,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        paths.add_path_operation(operation.path, vec![method], described.build());
    }
    // `SessionAgent` refers to it without naming its member, which would look like a recursion.
    let multiagent = SchemaOf::of::<SessionMultiagent>();
    reference(&mut schemas, &multiagent);
    schemas.insert("Multiagent".to_owned(), (multiagent.schema)());
    assemble(paths, schemas)
}

fn assemble(paths: Paths, schemas: Schemas) -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let api_key = ApiKey::Header(ApiKeyValue::new("x-api-key"));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("api_key", SecurityScheme::ApiKey(api_key))
        .build();
    let info = InfoBuilder::new()
        .title("Hostler")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("A self-hosted server for managed agents."))
        .build();
    let none: [&str; 0] = [];
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("bearer", none),
            SecurityRequirement::new("api_key", none),
        ]))
        .build()
}

/// Adds the schemas of a type to the document; answers a reference to its own.
fn reference(schemas: &mut Schemas, of: &SchemaOf) -> RefOr<Schema> {
    let name = (of.name)();
    let mut others = Vec::new();
    (of.others)(&mut others);
    schemas.extend(others);
    schemas.insert(name.to_string(), (of.schema)());
    RefOr::Ref(Ref::from_schema_name(name))
}

fn of_type(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

fn text_or_null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn answer_schema(schemas: &mut Schemas, answer: &Answer) -> RefOr<Schema> {
    let (of, text_fields, flag): (_, &[&str], _) = match answer {
        Answer::One(of) | Answer::EventStream(of) => return reference(schemas, of),
        Answer::Bytes => return of_type(Type::String).into(),
        Answer::Page(of) => (of, &["next_page"], None),
        Answer::TwoWayPage(of) => (of, &["next_page", "prev_page"], None),
        Answer::IdPage(of) => (of, &["first_id", "last_id"], Some("has_more")),
    };
    let items = ArrayBuilder::new().items(reference(schemas, of));
    let mut page = of_type(Type::Object)
        .property("data", items)
        .required("data");
    if let Some(flag) = flag {
        page = page.property(flag, of_type(Type::Boolean)).required(flag);
    }
    for field in text_fields {
        page = page.property(*field, text_or_null()).required(*field);
    }
    page.into()
}

fn request_body(input: Input) -> Option<utoipa::openapi::request_body::RequestBody> {
    let (content_type, schema): (_, RefOr<Schema>) = match input {
        Input::Nothing => return None,
        Input::Json => (JSON, of_type(Type::Object).into()),
        Input::Upload => {
            let file = of_type(Type::String).content_media_type("application/octet-stream");
            let form = of_type(Type::Object)
                .property("file", file)
                .required("file")
                .property("expires_in_seconds", of_type(Type::Integer));
            ("multipart/form-data", form.into())
        }
        Input::Skill => {
            let file = of_type(Type::String).content_media_type("application/octet-stream");
            let form = of_type(Type::Object)
                .property("files[]", ArrayBuilder::new().items(file))
                .required("files[]")
                .property("display_name", of_type(Type::String));
            ("multipart/form-data", form.into())
        }
    };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let body = RequestBodyBuilder::new().content(content_type, content);
    Some(body.required(Some(Required::True)).build())
}

fn parameters(path: &str, query: &[&str]) -> Vec<Parameter> {
    let in_path = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| (name, ParameterIn::Path, Required::True));
    let in_query = query
        .iter()
        .map(|name| (*name, ParameterIn::Query, Required::False));
    in_path
        .chain(in_query)
        .map(|(name, place, required)| {
            let schema = match (name, &place) {
                // That of a skill, an id.
                ("version", ParameterIn::Path) => of_type(Type::String).into(),
                (name, _) => parameter_schema(name),
            };
            ParameterBuilder::new()
                .name(name)
                .parameter_in(place)
                .required(required)
                .schema(Some(schema))
                .build()
        })
        .collect()
}

/// The type of a parameter follows from its name, nearly everywhere in this API.
fn parameter_schema(name: &str) -> RefOr<Schema> {
    if name.ends_with("[]") {
        return ArrayBuilder::new().items(of_type(Type::String)).into();
    }
    match name {
        "limit" | "version" | "agent_version" | "after" => of_type(Type::Integer).into(),
        "include_archived" => of_type(Type::Boolean).into(),
        "order" => of_type(Type::String)
            .enum_values(Some(["asc", "desc"]))
            .default(None)
            .into(),
        _ => of_type(Type::String).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                let name = object.get("$ref").and_then(Value::as_str);
                found.extend(name.map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(document()).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
