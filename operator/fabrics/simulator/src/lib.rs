//! A simulated world of sites.
//!
//! What may not enter: decisions. It does what it is asked as a real fabric would, and keeps the truth
//! against which everybody else is judged.
