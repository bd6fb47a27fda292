//! What a change of manifests means, for people and for programs (RD-3).
//!
//! [`input`] reads the two sides, from [`git`] or from files, without what git ignores ([`ignored`]); [`judged`]
//! loads and checks both, asks the engine, and finds the places of what it says; [`policy`] says whether that
//! is a failure; [`text`], [`markdown`] and [`report`] show it with the [`words`] that they share, [`findings`]
//! hands it to forges, and [`plain`] is the difference of the texts.
//!
//! What may not enter: what a change means. That is the engine's to say.

pub mod findings;
pub mod git;
mod ignored;
pub mod input;
pub mod judged;
pub mod markdown;
pub mod plain;
pub mod policy;
pub mod report;
pub mod text;
pub mod words;
