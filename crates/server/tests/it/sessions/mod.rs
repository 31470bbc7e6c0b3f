//! The engine on a real store, with a real sandbox and a scripted model over its real wire.

mod archive_kills;
mod checkpoints;
mod crash;
mod failures;
mod idle;
mod interrupt;
mod kills;
mod little_packages;
mod little_root;
mod mounted_files;
mod moves;
mod network;
mod network_told;
mod outputs;
mod packages;
mod pipe;
mod preparation;
mod registries;
mod resume;
mod retention;
mod roots;
mod shown;
mod static_server;
mod turn;
mod world;
mod world_sandboxes;
