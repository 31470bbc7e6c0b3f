//! Tests of the engine as a whole, through its one door: a store in, a log out.

#![expect(
    clippy::unwrap_used,
    reason = "set-up that fails must fail the test, where it stands"
)]
#![expect(
    clippy::expect_used,
    reason = "set-up that fails must fail the test, where it stands"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the judge asks for a few events of many"
)]
#![expect(
    clippy::print_stdout,
    reason = "what was simulated is told to whoever runs it"
)]

mod simulation;
