//! Messages to a name server: questions and updates as the wire has them (RFC 1035, RFC 2136), and what the
//! answers say.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, AuthorityBuilder, PushError};
use domain::base::name::FlattenInto;
use domain::base::rdata::UnknownRecordData;
use domain::base::{Message, MessageBuilder, Name, Ttl};
use domain::rdata::{A, Aaaa, Cname};
use drover_engine::outside::dns::{Change, Family, Standing};

/// A name as the wire has it.
pub(super) type DnsName = Name<Vec<u8>>;
/// A message that may still be signed.
pub(super) type Draft = AdditionalBuilder<Vec<u8>>;

/// A name of a manifest.
pub(super) fn name(text: &str) -> Result<DnsName, String> {
    Name::vec_from_str(text).map_err(|error| {
        format!(
            "{text} is no DNS name ({error}): write it in ASCII, international names as xn--..."
        )
    })
}

/// What records have that are no data: a condition, or a set to be removed.
const ZERO: Ttl = Ttl::from_secs(0);

fn rtype(family: Family) -> Rtype {
    match family {
        Family::V4 => Rtype::A,
        Family::V6 => Rtype::AAAA,
    }
}

/// Asks for the addresses of a family.
pub(super) fn question(id: u16, record: &DnsName, family: Family) -> Result<Draft, PushError> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    let mut question = builder.question();
    question.push((record, rtype(family)))?;
    Ok(question.additional())
}

/// One update: all changes, if all of what they say stands there.
pub(super) fn update(
    id: u16,
    zone: &DnsName,
    record: &DnsName,
    ttl: u32,
    changes: &[Change],
) -> Result<Draft, PushError> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_opcode(Opcode::UPDATE);
    let mut zones = builder.question();
    zones.push((zone, Rtype::SOA))?;
    // RFC 2136 2.4: prerequisites are where answers have their records, and changes where they have authority.
    let mut prerequisites = zones.answer();
    prerequisites.push((record, Class::NONE, ZERO, empty(Rtype::CNAME)?))?;
    for change in changes {
        if change.was.is_empty() {
            let nothing = empty(rtype(change.family))?;
            prerequisites.push((record, Class::NONE, ZERO, nothing))?;
        }
        for address in &change.was {
            match address {
                IpAddr::V4(it) => prerequisites.push((record, Class::IN, ZERO, A::new(*it)))?,
                IpAddr::V6(it) => {
                    prerequisites.push((record, Class::IN, ZERO, Aaaa::new(*it)))?;
                }
            }
        }
    }
    let mut updates = prerequisites.authority();
    for change in changes.iter().filter(|change| change.write) {
        replace(&mut updates, record, Ttl::from_secs(ttl), change)?;
    }
    Ok(updates.additional())
}

/// The whole set goes, then the new one comes.
fn replace(
    updates: &mut AuthorityBuilder<Vec<u8>>,
    record: &DnsName,
    ttl: Ttl,
    change: &Change,
) -> Result<(), PushError> {
    if !change.was.is_empty() {
        let all = empty(rtype(change.family))?;
        updates.push((record, Class::ANY, ZERO, all))?;
    }
    for address in &change.becomes {
        match address {
            IpAddr::V4(it) => updates.push((record, Class::IN, ttl, A::new(*it)))?,
            IpAddr::V6(it) => updates.push((record, Class::IN, ttl, Aaaa::new(*it)))?,
        }
    }
    Ok(())
}

/// A record without data: RFC 2136 says *any* and *none* with it.
fn empty(rtype: Rtype) -> Result<UnknownRecordData<[u8; 0]>, PushError> {
    // No octets are never too many.
    UnknownRecordData::from_octets(rtype, []).map_err(|_| PushError::ShortBuf)
}

/// Takes in what an answer says of a name.
pub(super) fn take_in(
    standing: &mut Standing,
    record: &DnsName,
    answer: &Message<Vec<u8>>,
) -> Result<(), String> {
    let garbled = |_| "the server's answer cannot be read".to_owned();
    for each in answer.answer().map_err(garbled)? {
        let each = each.map_err(garbled)?;
        if each.owner() != *record {
            // What an alias leads to.
            continue;
        }
        let ttl = each.ttl().as_secs();
        if let Some(found) = each.to_record::<A>().map_err(garbled)? {
            standing.addresses.insert(found.data().addr().into());
            standing.ttls.insert(ttl);
        } else if let Some(found) = each.to_record::<Aaaa>().map_err(garbled)? {
            standing.addresses.insert(found.data().addr().into());
            standing.ttls.insert(ttl);
        } else if let Some(found) = each.to_record::<Cname<_>>().map_err(garbled)? {
            let alias: DnsName = found.data().cname().flatten_into();
            standing.alias = Some(alias.to_string());
        }
    }
    Ok(())
}

/// What an answer that is no success means, and what mends it.
pub(super) fn meaning(rcode: Rcode, zone: &str) -> String {
    let means = match rcode {
        Rcode::FORMERR => "it does not understand the message: is it a name server?".to_owned(),
        Rcode::SERVFAIL => {
            "it failed by itself: look at its log, often it may not write the zone's file or journal".to_owned()
        }
        Rcode::NOTIMP => "it takes no dynamic updates: switch them on for the zone".to_owned(),
        Rcode::REFUSED => format!(
            "its policy forbids it: let this key change the record in zone {zone} (with BIND update-policy or \
             allow-update), and let it ask for it"
        ),
        Rcode::NOTAUTH => {
            format!("it is not the primary server of zone {zone}: name that one, and the zone as it has it")
        }
        Rcode::NOTZONE => format!("the record is not in zone {zone}"),
        Rcode::YXDOMAIN | Rcode::YXRRSET => {
            "a record came to stand there in this moment; nothing was changed".to_owned()
        }
        Rcode::NXDOMAIN | Rcode::NXRRSET => {
            "what stood there was changed by somebody in this moment; nothing was changed".to_owned()
        }
        _ => "look at its log".to_owned(),
    };
    format!("it answered {rcode}: {means}")
}

/// Whether a wildcard of the zone could be what answers for the name.
pub(super) fn may_be_synthesized(record: &DnsName, zone: &DnsName) -> bool {
    record != zone && record.ends_with(zone) && !record.first().is_wildcard()
}
