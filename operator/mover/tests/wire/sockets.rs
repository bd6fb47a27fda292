//! Files of unix sockets.

use std::os::unix::fs::PermissionsExt as _;

use drover_mover::serve::{Bound, Listen, ServeError};

use crate::mover::{Local, router};

#[tokio::test]
async fn a_socket_is_open_to_its_owner_alone_and_gone_when_the_mover_is() {
    let site = Local::new(router()).await;
    let path = site.path();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    site.mover.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn what_a_process_that_died_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mover.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listen = Listen::Unix(path.clone());
    Bound::new(vec![listen]).await.unwrap();
}

#[tokio::test]
async fn a_socket_that_answers_is_left_alone() {
    let site = Local::new(router()).await;
    let second = Bound::new(vec![Listen::Unix(site.path())]).await;
    let error = second.unwrap_err();
    assert!(matches!(error, ServeError::Taken(_)), "{error:?}");
    let answer: u64 = site.caller().call("/v1/double", &4).await.unwrap();
    assert_eq!(answer, 8);
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mover.sock");
    std::fs::write(&path, "precious").unwrap();
    let error = Bound::new(vec![Listen::Unix(path.clone())]).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ServeError::InTheWay(_)), "{error:?}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "precious");
}
