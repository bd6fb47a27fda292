//! The bytes of the handshake: options, and what a server answers.

use super::error::{NbdError, Refusal};
use super::wire::{Fields, printable};

/// The longest answer to an option that is read; servers need a few hundred bytes.
const LONGEST_ANSWER: u32 = 64 << 10;
/// The length of the head of an answer.
pub(crate) const ANSWER_HEAD: usize = 20;

pub(crate) const GREETING: [u8; 8] = *b"NBDMAGIC";
pub(crate) const OPTION_MAGIC: [u8; 8] = *b"IHAVEOPT";
const ANSWER_MAGIC: u64 = 0x0003_e889_0455_65a9;

pub(crate) const FIXED_NEWSTYLE: u16 = 1;
pub(crate) const NO_ZEROES: u16 = 2;

const INFO_EXPORT: u16 = 0;
const INFO_BLOCK_SIZE: u16 = 3;

/// What is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opt {
    Abort,
    StartTls,
    Go,
    StructuredReply,
    ListMetaContext,
    SetMetaContext,
}

impl Opt {
    fn number(self) -> u32 {
        match self {
            Self::Abort => 2,
            Self::StartTls => 5,
            Self::Go => 7,
            Self::StructuredReply => 8,
            Self::ListMetaContext => 9,
            Self::SetMetaContext => 10,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Abort => "to end the handshake",
            Self::StartTls => "TLS",
            Self::Go => "the export",
            Self::StructuredReply => "structured replies",
            Self::ListMetaContext => "to list metadata contexts",
            Self::SetMetaContext => "metadata contexts",
        }
    }

    /// The whole option.
    pub fn bytes(self, data: &[u8]) -> Vec<u8> {
        let mut bytes = OPTION_MAGIC.to_vec();
        bytes.extend(self.number().to_be_bytes());
        bytes.extend(length(data));
        bytes.extend(data);
        bytes
    }
}

/// What a server says to an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ack,
    Info(Info),
    Context { id: u32, name: String },
    Refused { reason: Refusal, message: String },
}

/// What a server says about an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Info {
    Export {
        size: u64,
        flags: u16,
    },
    BlockSize {
        least: u32,
        preferred: u32,
        most: u32,
    },
    /// Something that was not asked for.
    Other,
}

/// The kind of an answer, and how many bytes follow.
pub(crate) fn answer_head(asked: Opt, bytes: &[u8; ANSWER_HEAD]) -> Result<(u32, usize), NbdError> {
    let mut rest = Fields(bytes);
    if rest.u64()? != ANSWER_MAGIC {
        return Err(NbdError::Violation("an answer begins with a wrong magic"));
    }
    if rest.u32()? != asked.number() {
        return Err(NbdError::Violation("an answer to another option"));
    }
    let kind = rest.u32()?;
    let length = rest.u32()?;
    if length > LONGEST_ANSWER {
        return Err(NbdError::Violation("an answer to an option is too long"));
    }
    Ok((kind, length as usize))
}

/// What an answer says.
pub(crate) fn answer(kind: u32, bytes: &[u8]) -> Result<Answer, NbdError> {
    let mut rest = Fields(bytes);
    match kind {
        1 => Ok(Answer::Ack),
        3 => info(rest).map(Answer::Info),
        4 => Ok(Answer::Context {
            id: rest.u32()?,
            name: String::from_utf8_lossy(rest.0).into_owned(),
        }),
        error if error & 0x8000_0000 != 0 => Ok(Answer::Refused {
            reason: Refusal::of(error),
            message: printable(bytes),
        }),
        _ => Err(NbdError::Violation("an answer is of an unknown kind")),
    }
}

fn info(mut rest: Fields<'_>) -> Result<Info, NbdError> {
    match rest.u16()? {
        INFO_EXPORT => Ok(Info::Export {
            size: rest.u64()?,
            flags: rest.u16()?,
        }),
        INFO_BLOCK_SIZE => Ok(Info::BlockSize {
            least: rest.u32()?,
            preferred: rest.u32()?,
            most: rest.u32()?,
        }),
        _ => Ok(Info::Other),
    }
}

/// Asks for an export, and for its block sizes.
pub(crate) fn go(export: &str) -> Vec<u8> {
    let mut data = text(export);
    data.extend(1_u16.to_be_bytes());
    data.extend(INFO_BLOCK_SIZE.to_be_bytes());
    data
}

/// Asks for the contexts of an export: those there are, where none is named.
pub(crate) fn contexts(export: &str, names: &[String]) -> Vec<u8> {
    let mut data = text(export);
    data.extend(u32::try_from(names.len()).unwrap_or(u32::MAX).to_be_bytes());
    for name in names {
        data.extend(text(name));
    }
    data
}

fn text(text: &str) -> Vec<u8> {
    let mut data = length(text.as_bytes()).to_vec();
    data.extend(text.as_bytes());
    data
}

fn length(data: &[u8]) -> [u8; 4] {
    u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes()
}
