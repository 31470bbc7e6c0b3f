//! Terminals, and what outputs do to the terminal of whoever reads them.

use super::table::{Attempt, hold};
use crate::world::{World, ok};

const ATTEMPTS: &[Attempt] = &[
    ("type into a terminal", "terminal(0x5412)", "EPERM"),
    ("give the console a command", "terminal(0x541C)", "EPERM"),
    ("take the console over", "terminal(0x541D)", "EPERM"),
    ("load a line discipline", "terminal(0x5423)", "EPERM"),
    (
        "ask for the size works",
        "fcntl.ioctl(os.openpty()[0], 0x5413, b'x' * 8) and 'yes'",
        "yes",
    ),
];

#[tokio::test]
async fn terminals_take_no_foreign_input() {
    hold(ATTEMPTS).await;
}

#[tokio::test]
async fn outputs_carry_no_escape_sequences() {
    let world = World::new().await;
    // A title, a clipboard, a link, colours, a device query, a bell.
    let sequences =
        "printf 'a\\e]0;title\\ab\\e]52;c;aGk=\\e\\\\c\\e]8;;http://x\\e\\\\d\\e[31me\\e[6nf\\ag'";
    ok(&world.bash(sequences).await, "abcdef\u{fffd}g");
    world.end().await;
}
