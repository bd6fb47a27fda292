//! What is wrong with the declarations.
