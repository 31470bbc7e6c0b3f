//! The mechanism behind the route table: each line of it becomes a route and, if it is served, an
//! entry of the OpenAPI document, so that the two can't disagree.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use utoipa::openapi::{RefOr, Schema};

use crate::{Api, ApiError};

/// A type's schema, with the schemas that it refers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchemaOf {
    pub(crate) name: fn() -> std::borrow::Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    pub(crate) others: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl SchemaOf {
    pub(crate) fn of<T: utoipa::ToSchema>() -> Self {
        Self {
            name: T::name,
            schema: T::schema,
            others: T::schemas,
        }
    }
}

/// What a success looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    One(SchemaOf),
    Page(SchemaOf),
    TwoWayPage(SchemaOf),
    IdPage(SchemaOf),
    EventStream(SchemaOf),
    Bytes,
}

/// What goes in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input {
    Nothing,
    /// An object. Requests are read by hand (ADR 1), so their types have no schema.
    Json,
    /// A file in the part `file`.
    Upload,
    /// The files of a skill, or its archive, in parts `files[]`.
    Skill,
}

/// The shape of an operation, for the OpenAPI document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) query: &'static [&'static str],
    pub(crate) input: Input,
    pub(crate) answer: Answer,
}

impl Shape {
    const fn new(answer: Answer) -> Self {
        Self {
            query: &[],
            input: Input::Nothing,
            answer,
        }
    }

    pub(crate) const fn takes_json(mut self) -> Self {
        self.input = Input::Json;
        self
    }

    pub(crate) const fn takes_upload(mut self) -> Self {
        self.input = Input::Upload;
        self
    }

    pub(crate) const fn takes_skill(mut self) -> Self {
        self.input = Input::Skill;
        self
    }

    pub(crate) const fn query(mut self, names: &'static [&'static str]) -> Self {
        self.query = names;
        self
    }
}

pub(crate) fn answers<T: utoipa::ToSchema>() -> Shape {
    Shape::new(Answer::One(SchemaOf::of::<T>()))
}

pub(crate) fn page<T: utoipa::ToSchema>() -> Shape {
    Shape::new(Answer::Page(SchemaOf::of::<T>()))
}

pub(crate) fn two_way_page<T: utoipa::ToSchema>() -> Shape {
    Shape::new(Answer::TwoWayPage(SchemaOf::of::<T>()))
}

pub(crate) fn id_page<T: utoipa::ToSchema>() -> Shape {
    Shape::new(Answer::IdPage(SchemaOf::of::<T>()))
}

pub(crate) fn event_stream<T: utoipa::ToSchema>() -> Shape {
    Shape::new(Answer::EventStream(SchemaOf::of::<T>()))
}

pub(crate) const fn bytes() -> Shape {
    Shape::new(Answer::Bytes)
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// As the SDKs call it: `agents.create`. Of a refused line, the feature.
    pub(crate) name: &'static str,
    /// `None` for what this version refuses.
    pub(crate) shape: Option<Shape>,
}

/// The table while it is being written.
#[derive(Default)]
pub(crate) struct Operations {
    pub(crate) router: Router<Arc<Api>>,
    pub(crate) list: Vec<Operation>,
}

impl Operations {
    /// `line` is the method and the path.
    pub(crate) fn serve<H, T>(
        self,
        line: &'static str,
        name: &'static str,
        handler: H,
        shape: Shape,
    ) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        self.add(line, name, handler, Some(shape))
    }

    /// Lines of a later version: refused by name, never accepted and ignored.
    pub(crate) fn refuse(mut self, feature: &'static str, lines: &[&'static str]) -> Self {
        for line in lines {
            let refusal = move || async move { ApiError::feature_not_supported(feature) };
            self = self.add(line, feature, refusal, None);
        }
        self
    }

    fn add<H, T>(
        mut self,
        line: &'static str,
        name: &'static str,
        handler: H,
        shape: Option<Shape>,
    ) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        let (method, path) = line.split_once(' ').unwrap_or((line, ""));
        let (method, filter) = match method {
            "GET" => (Method::GET, MethodFilter::GET),
            "POST" => (Method::POST, MethodFilter::POST),
            "DELETE" => (Method::DELETE, MethodFilter::DELETE),
            other => panic!("the route table has the method {other}"),
        };
        let path = path.trim_start();
        self.router = self.router.route(path, on(filter, handler));
        self.list.push(Operation {
            method,
            path,
            name,
            shape,
        });
        self
    }
}
