//! What runs would do, for people and for programs.
//!
//! [`survey`] asks the engine, [`words`] turns its answers into sentences and rows that [`text`] and
//! [`markdown`] share, [`limits`] says how much of it is shown.

pub mod limits;
pub mod markdown;
pub mod saved;
pub mod select;
pub mod survey;
pub mod text;
pub mod words;
