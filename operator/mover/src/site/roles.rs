//! Who may ask what: names in certificates.
//!
//! The authority of a certificate says that somebody belongs here, and the name in it says who that is. Drover
//! may ask for everything, another mover only for what movers ask each other. Whoever may open the unix socket
//! is on this machine, and its owner.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use drover_libvirt::protocol::path;
use drover_world::FabricError;
use tracing::warn;

use super::refusal::terminal;
use crate::serve::{Failed, Peer};

/// Whose certificates, by the DNS names and URIs in them, give which right. Who is in neither list is refused.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Drover: it may ask for everything.
    pub operators: Vec<String>,
    /// The movers of other sites: they may ask for what movers ask each other.
    pub peers: Vec<String>,
}

impl Roles {
    /// Lets nobody ask a router for more than these roles give.
    pub(super) fn guard(self, router: Router) -> Router {
        let check = middleware::from_fn_with_state(self, checked);
        router.layer(check)
    }

    /// # Errors
    /// Why not, with what was shown and what is expected.
    fn may(&self, peer: Option<&Peer>, asked: &str) -> Result<(), FabricError> {
        if peer == Some(&Peer::Local) {
            return Ok(());
        }
        let among_movers = asked.starts_with(path::PEER);
        let peers = self.peers.iter().filter(|_| among_movers);
        let expected: Vec<&str> = self
            .operators
            .iter()
            .chain(peers)
            .map(String::as_str)
            .collect();
        if let Some(peer) = peer
            && expected.iter().any(|name| peer.is(name))
        {
            return Ok(());
        }
        let who = peer.map_or_else(|| "somebody unknown".to_owned(), ToString::to_string);
        let whom = match (expected.as_slice(), among_movers) {
            ([], _) => "and nobody is expected over TLS".to_owned(),
            (names, true) => format!("which {} may", names.join(" or ")),
            (names, false) => format!("which only {} may", names.join(" or ")),
        };
        let option = if among_movers { "--peer" } else { "--operator" };
        Err(terminal(
            format!("{who} may not ask this mover for {asked}, {whom}"),
            &format!(
                "the mover is started with {option} and a DNS name or URI of the caller's certificate: \
                 change that, or call with a certificate that has an expected name"
            ),
        ))
    }
}

async fn checked(State(roles): State<Roles>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>();
    match roles.may(peer, request.uri().path()) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            warn!(hint = error.hint, "a caller was refused: {}", error.message);
            Failed(error).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> Roles {
        Roles {
            operators: vec!["drover.example.com".into()],
            peers: vec!["spiffe://example.com/mover/Busan".into()],
        }
    }

    fn shows(names: &[&str]) -> Peer {
        Peer::Remote {
            names: names.iter().map(ToString::to_string).collect(),
            address: ([10, 0, 7, 9], 4242).into(),
        }
    }

    #[test]
    fn drover_may_ask_for_everything_and_a_mover_for_what_movers_ask_each_other() {
        // SPEC: PR-8
        let may = |peer: &Peer, asked: &str| roles().may(Some(peer), asked).is_ok();
        let drover = shows(&["other.example.com", "DROVER.example.com"]);
        let mover = shows(&["spiffe://example.com/mover/Busan"]);
        assert!(may(&drover, path::ENSURE) && may(&drover, path::LEND));
        assert!(may(&mover, path::LEND) && may(&mover, &format!("{}/1/vda", path::STREAM)));
        assert!(!may(&mover, path::ENSURE) && !may(&mover, path::OBSERVE));
        // In a URI capitals count.
        assert!(!may(
            &shows(&["spiffe://example.com/mover/busan"]),
            path::LEND
        ));
        assert!(!may(&shows(&["busan.example.com"]), path::LEND));
        assert!(!may(&shows(&[]), path::LEND));
        assert!(may(&Peer::Local, path::ENSURE));
        assert!(roles().may(None, path::OBSERVE).is_err());
    }

    #[test]
    fn a_refusal_says_what_was_shown_and_what_is_expected() {
        let stranger = shows(&["web.example.com"]);
        let error = roles().may(Some(&stranger), path::ENSURE).unwrap_err();
        assert_eq!(
            error.message,
            "web.example.com at 10.0.7.9:4242 may not ask this mover for /v1/ensure, which only \
             drover.example.com may"
        );
        let nobody = Roles::default();
        let error = nobody.may(Some(&stranger), path::LEND).unwrap_err();
        assert!(
            error.message.ends_with("and nobody is expected over TLS"),
            "{error}"
        );
        assert!(error.hint.unwrap().contains("--peer"));
    }
}
