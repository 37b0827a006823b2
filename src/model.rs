//! The models of the service.

/// The model that the public service of 2023 used by default.
pub const DEFAULT_MODEL: &str = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1";

/// A model that the service offers; from [`Client::models`](crate::Client::models).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Model {
    /// What [`ClientBuilder::model`](crate::ClientBuilder::model) takes.
    pub id: String,
    /// Its name for people; the id if it has no other.
    pub name: String,
    /// What the service says about it; often empty.
    pub description: String,
}
