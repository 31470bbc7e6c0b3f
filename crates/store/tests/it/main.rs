//! The store's promises, through its public door and on a real file.

mod agents;
mod environments;
mod files;
mod store_folder;
