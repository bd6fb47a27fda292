//! What the declarations mean. Every choice of Drover is made here, and nothing else is.
//!
//! Pure functions over declared resources, what was seen, and time as an argument: [`check`] says what
//! is wrong with the declarations, [`plan`] what a run would do, [`lifecycle`] which states there are,
//! [`compile`] turns an intent into an immutable run, [`decide`] says what to do now and why everything
//! else waits, [`review`] says what a change means, [`drift`] where what is differs from what is declared, [`outside`] what an action does about what stands where it acts, and [`verify`] derives the invariants of a compiled run again, with code of its own.
//!
//! What may not enter: clocks, randomness, the environment, files, threads, async, drivers.

pub mod check;
pub mod compile;
pub mod decide;
pub mod declared;
pub mod drift;
pub mod invariant;
pub mod lifecycle;
pub mod members;
pub mod outside;
pub mod plan;
pub mod problem;
pub mod review;
pub mod verify;
