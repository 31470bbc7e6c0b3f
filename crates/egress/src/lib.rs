//! The way out of a sandbox: a gateway that decides where its connections may go.
