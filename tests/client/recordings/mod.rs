//! What the client makes of recordings of real servers.

mod tree;
mod v0_5;
