//! The shell: it observes, asks the engine, does, and records. It decides nothing.
