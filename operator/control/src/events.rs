//! Events: what happened, for people who look at one object (KU-1).
