//! Dynamic updates (RFC 2136), signed with a TSIG key (RFC 8945).
//!
//! Over TCP alone: every server has it (RFC 7766), nothing is cut short, and an answer comes from whom it
//! was asked of.

use std::time::Duration;

use domain::base::Message;
use domain::base::iana::Rcode;
use domain::base::message_builder::PushError;
use domain::rdata::tsig::Time48;
use domain::tsig::{ClientTransaction, Key, ValidationError};
use drover_api::{DnsAction, Rfc2136};
use drover_engine::outside::dns::{Change, Family, Standing, Step, stands, step, ttl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::message::{self, DnsName, Draft};
use super::{Errand, key};
use crate::context::Context;

/// How long the server may take for one answer; the action's own limit is over all of them.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a change is tried against somebody who changes the record too.
const TRIES: u16 = 3;
/// Where a name server listens unless its port is given.
const PORT: u16 = 53;

impl Errand {
    /// Reads the record, changes it if that is due, and reads it back.
    pub(super) async fn rfc2136(
        &self,
        context: &Context,
        dns: &DnsAction,
        server: &Rfc2136,
    ) -> Result<(), String> {
        let place = Place {
            server: server_address(&server.server),
            zone: message::name(&server.zone)?,
            record: message::name(&dns.record)?,
            key: self.key(context, server).await?,
        };
        let mut refused = None;
        for _ in 0..TRIES {
            let seen = place.look().await?;
            let changes = match step(dns, self.role, &seen) {
                Step::Nothing => return Ok(()),
                Step::Refuse(why) if !place.is_synthesized(&seen).await? => return Err(why),
                // What a wildcard answers is no record of this name, so there is none yet.
                Step::Refuse(why) => match step(dns, self.role, &Standing::default()) {
                    Step::Write(changes) => changes,
                    Step::Nothing | Step::Refuse(_) => return Err(why),
                },
                Step::Write(changes) => changes,
            };
            Self::leads(context)?;
            let rcode = place.update(ttl(dns), &changes).await?;
            match rcode {
                Rcode::NOERROR => return stands(dns, self.role, &place.look().await?),
                // Somebody was quicker: what they wrote is looked at.
                Rcode::YXRRSET | Rcode::NXRRSET | Rcode::YXDOMAIN | Rcode::NXDOMAIN => {
                    refused = Some(rcode);
                }
                _ => return Err(place.told(rcode)),
            }
        }
        Err(refused.map_or_else(String::new, |rcode| place.told(rcode)))
    }

    /// The key that the secret in the plan's namespace has.
    async fn key(&self, context: &Context, server: &Rfc2136) -> Result<Option<Key>, String> {
        let Some(reference) = &server.key_secret_ref else {
            return Ok(None);
        };
        let name = reference.name.as_str();
        let at = format!("secret {name} in namespace {}", self.namespace);
        let secret = self.secret(context, name).await?;
        let key = key::read(&secret.data.unwrap_or_default());
        key.map(Some)
            .map_err(|why| format!("the key of {at} cannot be used: {why}"))
    }
}

/// A record of a zone, and the server that has it.
struct Place {
    server: String,
    zone: DnsName,
    record: DnsName,
    key: Option<Key>,
}

impl Place {
    /// What stands at the name, of both families.
    async fn look(&self) -> Result<Standing, String> {
        let mut standing = Standing::default();
        for (id, family) in (1..).zip(Family::ALL) {
            let draft = message::question(id, &self.record, family);
            let answer = self.exchange(id, draft).await?;
            let header = answer.header();
            match header.rcode() {
                Rcode::NOERROR if header.aa() => {
                    message::take_in(&mut standing, &self.record, &answer)?;
                }
                Rcode::NXDOMAIN if header.aa() => {}
                Rcode::NOERROR | Rcode::NXDOMAIN => return Err(self.told(Rcode::NOTAUTH)),
                rcode => return Err(self.told(rcode)),
            }
        }
        Ok(standing)
    }

    async fn update(&self, ttl: u32, changes: &[Change]) -> Result<Rcode, String> {
        let id = 3;
        let draft = message::update(id, &self.zone, &self.record, ttl, changes);
        Ok(self.exchange(id, draft).await?.header().rcode())
    }

    /// Whether what is answered for the name comes of a wildcard: then an update that changes nothing, on
    /// the condition that nothing stands at the name itself, is taken.
    async fn is_synthesized(&self, seen: &Standing) -> Result<bool, String> {
        if !message::may_be_synthesized(&self.record, &self.zone) || seen == &Standing::default() {
            return Ok(false);
        }
        let nothing = Family::ALL.map(|family| Change {
            family,
            was: [].into(),
            becomes: [].into(),
            write: false,
        });
        Ok(self.update(0, &nothing).await? == Rcode::NOERROR)
    }

    fn told(&self, rcode: Rcode) -> String {
        let zone = self.zone.to_string();
        format!(
            "name server {}: {}",
            self.server,
            message::meaning(rcode, &zone)
        )
    }

    /// Sends a message, signed where there is a key, and takes an answer that is signed with the same.
    async fn exchange(
        &self,
        id: u16,
        draft: Result<Draft, PushError>,
    ) -> Result<Message<Vec<u8>>, String> {
        let too_long = |_| "the message is too long: declare fewer addresses".to_owned();
        let mut draft = draft.map_err(too_long)?;
        let signed = match &self.key {
            Some(key) => {
                let now = Time48::now();
                let signed =
                    ClientTransaction::request(std::sync::Arc::new(key.clone()), &mut draft, now);
                Some(signed.map_err(too_long)?)
            }
            None => None,
        };
        let talk = tokio::time::timeout(LIMIT, talk(&self.server, &draft.finish())).await;
        let octets = talk
            .unwrap_or_else(|_| {
                Err(format!(
                    "it did not answer within {} seconds",
                    LIMIT.as_secs()
                ))
            })
            .map_err(|why| format!("name server {}: {why}", self.server))?;
        let garbled = || {
            format!(
                "name server {}: what it answered is no DNS message",
                self.server
            )
        };
        let mut answer = Message::from_octets(octets).map_err(|_| garbled())?;
        if !answer.header().qr() || answer.header().id() != id {
            return Err(garbled());
        }
        if let Some(signed) = signed {
            let valid = signed.answer(&mut answer, Time48::now());
            valid.map_err(|error| self.unproven(error, &answer))?;
        }
        Ok(answer)
    }

    /// Why an answer does not count that is not signed as it should be.
    fn unproven(&self, error: ValidationError, answer: &Message<Vec<u8>>) -> String {
        let clocks = "compare the clocks of both: they may be 5 minutes apart";
        let why = match error {
            ValidationError::ServerBadKey | ValidationError::BadKey => {
                "BADKEY: it has no key of this name and algorithm; compare the secret with the server's key".into()
            }
            ValidationError::ServerBadSig => {
                "BADSIG: its key of this name is another; compare the secret with the server's key".into()
            }
            ValidationError::ServerBadTime { client, server } => {
                let apart = u64::from(server).abs_diff(u64::from(client));
                format!("BADTIME: its clock is {apart} seconds apart from the operator's; {clocks}")
            }
            ValidationError::BadTime => format!("its answer was signed at another time; {clocks}"),
            ValidationError::ServerUnsigned if answer.header().rcode() != Rcode::NOERROR => {
                return self.told(answer.header().rcode());
            }
            ValidationError::ServerUnsigned => {
                "its answer is not signed, so anybody may have sent it; is the key in use there?".into()
            }
            other => format!("its answer is not signed as it should be ({other})"),
        };
        format!("name server {}: {why}", self.server)
    }
}

/// One message there and one back, each after its length (RFC 1035 4.2.2).
async fn talk(server: &str, message: &[u8]) -> Result<Vec<u8>, String> {
    let lost = |error: std::io::Error| format!("the connection broke: {error}");
    let length = u16::try_from(message.len()).map_err(|_| "the message is too long".to_owned())?;
    let mut stream = TcpStream::connect(server).await.map_err(|error| {
        format!("it cannot be reached over TCP: {error}; is it up, and may the operator reach it?")
    })?;
    let whole = [&length.to_be_bytes()[..], message].concat();
    stream.write_all(&whole).await.map_err(lost)?;
    let length = stream.read_u16().await.map_err(lost)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    Ok(answer)
}

/// With a port, whether it was written or not.
fn server_address(text: &str) -> String {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return std::net::SocketAddr::new(address, PORT).to_string();
    }
    let port = text.rsplit_once(':').map(|(_, port)| port);
    if port.is_some_and(|port| port.parse::<u16>().is_ok()) {
        text.to_owned()
    } else {
        format!("{text}:{PORT}")
    }
}

#[cfg(test)]
mod tests {
    use super::server_address;

    #[test]
    fn a_server_without_a_port_listens_where_name_servers_do() {
        for (written, meant) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
            ("ns1.example.com", "ns1.example.com:53"),
            ("ns1.example.com:5353", "ns1.example.com:5353"),
        ] {
            assert_eq!(server_address(written), meant);
        }
    }
}
