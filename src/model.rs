//! A model of the service.

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
