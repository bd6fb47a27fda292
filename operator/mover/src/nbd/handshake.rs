//! From a fresh connection to an export that takes requests.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::address::{Address, Stream};
use super::error::NbdError;
use super::export::Export;
use super::option::{self, Answer, Opt};
use super::tls::Tls;
use super::way::GREETING;

/// How many answers to one option are listened to: a server has to come to an end.
const MOST_ANSWERS: usize = 4096;

/// What is wanted of a server.
#[derive(Clone, Debug)]
pub struct Wishes {
    pub(crate) export: String,
    pub(crate) contexts: Vec<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) patience: Duration,
}

impl Wishes {
    /// This export, unencrypted, with two minutes of patience.
    pub fn new(export: impl Into<String>) -> Self {
        Self {
            export: export.into(),
            contexts: Vec::new(),
            tls: None,
            patience: Duration::from_mins(2),
        }
    }

    /// Also this metadata context; the server must have it.
    #[must_use]
    pub fn context(mut self, name: impl Into<String>) -> Self {
        self.contexts.push(name.into());
        self
    }

    /// Encrypted.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long a server may be silent while something is asked of it. To flush a disk can take a while.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// Connects to a server and agrees on everything.
pub(crate) async fn connect(
    address: &Address,
    wishes: &Wishes,
) -> Result<(Box<dyn Stream>, Export), NbdError> {
    let whole = async { begin(address, wishes).await?.agree(wishes).await };
    within(wishes.patience, whole).await
}

/// Agrees on everything with a server that somebody else connected to.
pub(crate) async fn enter(
    stream: Box<dyn Stream>,
    wishes: &Wishes,
) -> Result<(Box<dyn Stream>, Export), NbdError> {
    if wishes.tls.is_some() {
        let whose = "a stream is encrypted by whoever connected it";
        return Err(NbdError::Tls(whose.to_owned()));
    }
    let whole = async {
        let mut talk = Talk { stream };
        talk.greet().await?;
        talk.agree(wishes).await
    };
    within(wishes.patience, whole).await
}

/// The metadata contexts that an export has.
pub(crate) async fn list(address: &Address, wishes: &Wishes) -> Result<Vec<String>, NbdError> {
    let whole = async {
        let mut talk = begin(address, wishes).await?;
        if !talk.structured().await? {
            return Ok(Vec::new());
        }
        let data = option::contexts(&wishes.export, &wishes.contexts);
        let answers = talk.ask(Opt::ListMetaContext, &data).await?;
        talk.say(Opt::Abort, &[]).await?;
        let name = |answer| match answer {
            Answer::Context { name, .. } => Some(name),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(name).collect())
    };
    within(wishes.patience, whole).await
}

async fn within<T>(
    patience: Duration,
    talk: impl Future<Output = Result<T, NbdError>>,
) -> Result<T, NbdError> {
    let ended = tokio::time::timeout(patience, talk).await;
    ended.unwrap_or(Err(NbdError::Silent(patience)))
}

/// Connects to a server and agrees on TLS; with what it said first.
pub(super) async fn encrypt(
    address: &Address,
    wishes: &Wishes,
) -> Result<(Box<dyn Stream>, [u8; GREETING]), NbdError> {
    let whole = async {
        let (talk, greeting) = greeted(address, wishes).await?;
        Ok((talk.stream, greeting))
    };
    within(wishes.patience, whole).await
}

async fn begin(address: &Address, wishes: &Wishes) -> Result<Talk, NbdError> {
    Ok(greeted(address, wishes).await?.0)
}

async fn greeted(address: &Address, wishes: &Wishes) -> Result<(Talk, [u8; GREETING]), NbdError> {
    let mut talk = Talk {
        stream: address.connect().await?,
    };
    let greeting = talk.greet().await?;
    if let Some(tls) = &wishes.tls {
        talk.ask(Opt::StartTls, &[]).await?;
        talk.stream = tls.wrap(talk.stream).await?;
    }
    Ok((talk, greeting))
}

/// Nothing is read ahead here: after the option for TLS the next byte is not ours.
struct Talk {
    stream: Box<dyn Stream>,
}

impl Talk {
    async fn agree(mut self, wishes: &Wishes) -> Result<(Box<dyn Stream>, Export), NbdError> {
        let structured = self.structured().await?;
        let contexts = self.contexts(wishes, structured).await?;
        let mut export = self.go(wishes).await?;
        export.structured = structured;
        export.contexts = contexts;
        Ok((self.stream, export))
    }

    async fn greet(&mut self) -> Result<[u8; GREETING], NbdError> {
        let greeting: [u8; GREETING] = self.hear().await?;
        if greeting[..8] != option::GREETING || greeting[8..16] != option::OPTION_MAGIC {
            return Err(NbdError::Violation("its greeting is not that of NBD"));
        }
        let flags = u16::from_be_bytes([greeting[16], greeting[17]]);
        if flags & option::FIXED_NEWSTYLE == 0 {
            return Err(NbdError::Lacks("the fixed newstyle handshake"));
        }
        let ours = flags & (option::FIXED_NEWSTYLE | option::NO_ZEROES);
        self.send(&u32::from(ours).to_be_bytes()).await?;
        Ok(greeting)
    }

    async fn structured(&mut self) -> Result<bool, NbdError> {
        match self.ask(Opt::StructuredReply, &[]).await {
            Ok(_) => Ok(true),
            Err(NbdError::Refused {
                reason: super::Refusal::Unsupported,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn contexts(
        &mut self,
        wishes: &Wishes,
        structured: bool,
    ) -> Result<Vec<(u32, String)>, NbdError> {
        if wishes.contexts.is_empty() {
            return Ok(Vec::new());
        }
        if !structured {
            return Err(NbdError::Lacks("structured replies"));
        }
        let data = option::contexts(&wishes.export, &wishes.contexts);
        let answers = self.ask(Opt::SetMetaContext, &data).await?;
        let mut agreed: Vec<(u32, String)> = Vec::new();
        for answer in answers {
            let Answer::Context { id, name } = answer else {
                continue;
            };
            if !wishes.contexts.contains(&name) || agreed.iter().any(|(other, _)| *other == id) {
                return Err(NbdError::Violation(
                    "a metadata context that nobody asked for",
                ));
            }
            agreed.push((id, name));
        }
        let has = |wanted: &&String| !agreed.iter().any(|(_, name)| name == *wanted);
        match wishes.contexts.iter().find(has) {
            Some(missing) => Err(NbdError::NoContext(missing.clone())),
            None => Ok(agreed),
        }
    }

    async fn go(&mut self, wishes: &Wishes) -> Result<Export, NbdError> {
        let answers = self.ask(Opt::Go, &option::go(&wishes.export)).await?;
        let info = |answer: &Answer| match answer {
            Answer::Info(info) => Some(*info),
            _ => None,
        };
        let infos: Vec<_> = answers.iter().filter_map(info).collect();
        Export::new(&infos)
    }

    /// What the server says until it agrees.
    async fn ask(&mut self, asked: Opt, data: &[u8]) -> Result<Vec<Answer>, NbdError> {
        self.say(asked, data).await?;
        let mut answers = Vec::new();
        while answers.len() < MOST_ANSWERS {
            let head: [u8; option::ANSWER_HEAD] = self.hear().await?;
            let (kind, length) = option::answer_head(asked, &head)?;
            let mut data = vec![0; length];
            self.hear_into(&mut data).await?;
            match option::answer(kind, &data)? {
                Answer::Ack => return Ok(answers),
                Answer::Refused { reason, message } => {
                    return Err(NbdError::Refused {
                        option: asked.name(),
                        reason,
                        message,
                    });
                }
                more => answers.push(more),
            }
        }
        Err(NbdError::Violation("its answers to an option do not end"))
    }

    async fn say(&mut self, option: Opt, data: &[u8]) -> Result<(), NbdError> {
        self.send(&option.bytes(data)).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), NbdError> {
        let sent = self.stream.write_all(bytes).await;
        sent.map_err(NbdError::io("negotiating"))?;
        let sent = self.stream.flush().await;
        sent.map_err(NbdError::io("negotiating"))
    }

    async fn hear<const N: usize>(&mut self) -> Result<[u8; N], NbdError> {
        let mut bytes = [0; N];
        self.hear_into(&mut bytes).await?;
        Ok(bytes)
    }

    async fn hear_into(&mut self, bytes: &mut [u8]) -> Result<(), NbdError> {
        let heard = self.stream.read_exact(bytes).await;
        heard.map(drop).map_err(NbdError::io("negotiating"))
    }
}
