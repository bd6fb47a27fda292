//! `drover up`: an API, an operator and a live view in one process, fed from a folder.

pub mod home;
pub mod screen;
pub mod story;
