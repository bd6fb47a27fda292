//! Programs, and how they end.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use drover_mover::image::{ImageError, Served, create, info};

use crate::bench::{Bench, SIZE};

/// Set where a test runs itself as another process.
const OTHER: &str = "DROVER_TEST_IMAGE_FOLDER";

/// Runs a test of this file as a process of its own, and hands it a folder.
fn other(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("processes::{test}"), "--nocapture"])
        .env(OTHER, folder);
    command
}

fn within() -> Option<PathBuf> {
    std::env::var_os(OTHER).map(PathBuf::from)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Waits until the process says this.
fn hear(child: &mut Child, word: &str) {
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(word)), "it ended");
}

/// How many servers there are of this socket.
fn servers(socket: &Path) -> usize {
    let socket = socket.to_str().unwrap().as_bytes();
    let serves = |process: &PathBuf| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next() == Some(b"qemu-nbd") && words.any(|word| word == socket)
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let processes = entries.map(|entry| entry.unwrap().path());
    processes.filter(serves).count()
}

fn until_gone(socket: &Path) {
    for _ in 0..30_000 {
        if servers(socket) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server outlives what started it");
}

#[test]
fn a_server_does_not_outlive_a_process_that_is_killed() {
    if let Some(folder) = within() {
        let (image, socket) = (folder.join("image"), folder.join("s"));
        let served = runtime().block_on(async {
            create(&image, SIZE).await.unwrap();
            Served::writable(&image, &socket).await.unwrap()
        });
        println!("serving {}", served.image().display());
        loop {
            std::thread::park();
        }
    }
    let bench = Bench::new();
    let test = "a_server_does_not_outlive_a_process_that_is_killed";
    let mut mover = other(test, &bench.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    hear(&mut mover, "serving");
    assert_eq!(servers(&bench.path("s")), 1);
    mover.kill().unwrap();
    mover.wait().unwrap();
    until_gone(&bench.path("s"));
}

#[test]
fn a_server_outlives_the_thread_that_asked_for_it() {
    let bench = Bench::new();
    let (image, socket) = (bench.path("image"), bench.path("s"));
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let start = {
        let (image, socket) = (image.clone(), socket.clone());
        move || {
            handle.block_on(async {
                create(&image, SIZE).await.unwrap();
                Served::writable(&image, &socket).await.unwrap()
            })
        }
    };
    let served = std::thread::spawn(start).join().unwrap();
    runtime.block_on(async {
        // Whoever were to be killed with the thread would be so by now.
        let failed = Served::writable(&image, &bench.path("other"))
            .await
            .unwrap_err();
        assert!(matches!(failed, ImageError::InUse { .. }), "{failed:?}");
        served.end().await.unwrap();
    });
    assert_eq!(servers(&socket), 0);
}

#[tokio::test]
async fn a_server_that_is_dropped_ends() {
    let bench = Bench::new();
    let (image, socket) = (bench.path("image"), bench.path("s"));
    create(&image, SIZE).await.unwrap();
    let served = Served::writable(&image, &socket).await.unwrap();
    drop(served);
    assert!(!socket.exists());
    until_gone(&socket);
    let served = Served::writable(&image, &socket).await.unwrap();
    served.end().await.unwrap();
}

#[tokio::test]
async fn a_server_that_died_says_so_at_the_end() {
    let bench = Bench::new();
    let (image, socket) = (bench.path("image"), bench.path("s"));
    create(&image, SIZE).await.unwrap();
    let served = Served::writable(&image, &socket).await.unwrap();
    let pid = served.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &pid])
            .status()
            .unwrap()
            .success()
    );
    until_gone(&socket);
    let failed = served.end().await.unwrap_err();
    assert!(
        matches!(&failed, ImageError::Failed { text, .. } if text.contains("signal")),
        "{failed:?}"
    );
}

#[test]
fn a_program_that_is_not_installed_is_named() {
    if let Some(folder) = within() {
        let missing = runtime().block_on(async {
            let image = folder.join("image");
            let info = info(&image).await.unwrap_err();
            let made = create(&image, SIZE).await.unwrap_err();
            assert!(!image.exists());
            let served = Served::writable(&image, &folder.join("s"))
                .await
                .unwrap_err();
            [info, made, served]
        });
        let names = missing.map(|error| match error {
            ImageError::Missing { program } => program,
            other => panic!("{other:?}"),
        });
        let wrapped = std::env::var_os("PATH").is_some_and(|path| path == folder.as_os_str());
        let expected = ["qemu-img", "qemu-img", "qemu-nbd"];
        assert_eq!(names, if wrapped { expected } else { ["setpriv"; 3] });
        return;
    }
    let test = "a_program_that_is_not_installed_is_named";
    let bench = Bench::new();
    for name in ["setpriv", "sh"] {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), bench.path(name)).unwrap();
    }
    let folder = bench.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    for path in [folder, "/nowhere"] {
        let status = other(test, Path::new(folder))
            .env("PATH", path)
            .status()
            .unwrap();
        assert!(status.success(), "{path}");
    }
}
