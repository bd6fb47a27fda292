//! How much input is too much. A manifest comes from anybody who can open a pull request, so every
//! loop over it has a bound, and each bound says why it is where it is.

/// The longest source, in bytes. The 50,000 machines of a large estate are about 10 MB; a file six
/// times as long is a mistake or an attack.
pub const MAX_SOURCE_BYTES: usize = 64 * 1024 * 1024;

/// The most documents in one source. One per machine of a very large estate, four times over; other
/// parsers' default of about a thousand is met by real repositories.
pub const MAX_DOCUMENTS: usize = 200_000;

/// The most nodes (keys and values) in one document. 50,000 machines in a single `List` are about
/// one million; four millions take some 300 MB.
pub const MAX_NODES: usize = 4_000_000;

/// The deepest nesting. The schemas of Drover stay below 20; the code below may recurse this deep.
pub const MAX_DEPTH: usize = 64;

/// The longest single text, in bytes: as much as a Kubernetes object may hold altogether.
pub const MAX_SCALAR_BYTES: usize = 1024 * 1024;

/// What the aliases (`*name`) of one document may copy altogether, in bytes of tree. It ends a
/// "billion laughs" within milliseconds and is a thousand times what people write.
pub const MAX_COPIED_BYTES: usize = 16 * 1024 * 1024;

/// How far the scanner may run ahead of the event it hands out next, in bytes. It must look for the
/// `:` that would make a whole flow collection a key, and holds some hundred bytes for each token on
/// the way; without a bound 64 MiB of commas would take 6 GB. It leaves room for the longest text.
pub const MAX_LOOKAHEAD_BYTES: usize = MAX_SCALAR_BYTES + 64 * 1024;

/// The most diagnostics for one document. Nobody reads more; the rest is counted.
pub const MAX_PROBLEMS_PER_DOCUMENT: usize = 100;

/// The most diagnostics for one source. Nobody reads more; the rest is counted.
pub const MAX_PROBLEMS_PER_SOURCE: usize = 1_000;
