//! An image that can be read or written over NBD.

use std::ffi::{OsStr, OsString};
use std::iter;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::error::ImageError;
use super::program::{complaint, failed, last_words, start};
use crate::nbd::{Address, Client, Wishes};

const QEMU_NBD: &str = "qemu-nbd";
/// How many connections one server takes: those of a copy, of whom it came from, and ours.
const CONNECTIONS: &str = "16";
/// To open an image on storage that is slow takes a while; one that takes longer never opens.
const OPENING: Duration = Duration::from_mins(1);
/// What was written may still have to reach the storage.
const CLOSING: Duration = Duration::from_mins(5);
/// Between two looks whether a server answers.
const PAUSE: Duration = Duration::from_millis(5);

/// A server of one image, on a socket of its own. When it is dropped the server is killed; what was written
/// and not flushed may then be lost.
#[derive(Debug)]
pub struct Served {
    child: Child,
    words: JoinHandle<String>,
    image: PathBuf,
    socket: Socket,
    writable: bool,
}

/// A socket's name, which is removed with this: servers that fail or are killed leave it behind.
#[derive(Debug)]
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // Nearly always the server has done so.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An image that is opened without the locks that keep others from writing it, as options of QEMU's.
fn shared(image: &Path, format: &str) -> OsString {
    let options = format!("driver={format},force-share=on,file.driver=file,file.filename=");
    let mut options = options.into_bytes();
    for byte in image.as_os_str().as_bytes() {
        // A comma ends an option; two are one.
        options.extend(iter::repeat_n(*byte, if *byte == b',' { 2 } else { 1 }));
    }
    OsString::from_vec(options)
}

impl Served {
    /// Serves a qcow2 image to be written. What is trimmed is given back; zeroes stay what they are.
    ///
    /// # Errors
    /// When the image is not there or open elsewhere, or the server does not answer.
    pub async fn writable(image: &Path, socket: &Path) -> Result<Self, ImageError> {
        let options = [
            "--format=qcow2",
            "--cache=writeback",
            "--discard=unmap",
            "--detect-zeroes=off",
        ];
        let options = options.map(OsStr::new);
        let what = image.as_os_str();
        Self::begin(image, what, socket, &options, true, &Wishes::new("")).await
    }

    /// Serves an image of this format to be read, with the context `base:allocation` and that of the bitmap.
    /// The same image can be served several times at once. It keeps nobody from writing to it, such as a guest
    /// that is started meanwhile: whoever reads looks afterwards whether somebody did.
    ///
    /// # Errors
    /// When the image is not there, when the bitmap is not there or broken, or the server does not answer.
    pub async fn readonly(
        image: &Path,
        format: &str,
        bitmap: Option<&str>,
        socket: &Path,
    ) -> Result<Self, ImageError> {
        let mut options = vec!["--read-only".to_owned(), "--image-opts".to_owned()];
        let mut wishes = Wishes::new("").context("base:allocation");
        if let Some(bitmap) = bitmap {
            options.push(format!("--bitmap={bitmap}"));
            wishes = wishes.context(format!("qemu:dirty-bitmap:{bitmap}"));
        }
        let options: Vec<&OsStr> = options.iter().map(AsRef::as_ref).collect();
        Self::begin(
            image,
            &shared(image, format),
            socket,
            &options,
            false,
            &wishes,
        )
        .await
    }

    async fn begin(
        image: &Path,
        what: &OsStr,
        socket: &Path,
        options: &[&OsStr],
        writable: bool,
        wishes: &Wishes,
    ) -> Result<Self, ImageError> {
        // Nobody but the new server may answer.
        forget(socket).await?;
        let fixed: [&OsStr; 5] = [
            "--persistent".as_ref(),
            "--shared".as_ref(),
            CONNECTIONS.as_ref(),
            "--socket".as_ref(),
            socket.as_ref(),
        ];
        let arguments = [&fixed[..], options, &[what]].concat();
        let mut child = start(QEMU_NBD, &arguments).await?;
        let words = tokio::spawn(last_words(child.stderr.take()));
        let served = Self {
            child,
            words,
            image: image.to_owned(),
            socket: Socket(socket.to_owned()),
            writable,
        };
        served.answering(&wishes.clone().patience(OPENING)).await
    }

    /// Waits until the server answers, or has ended. It listens before it has opened the image, so that a
    /// connection by itself says nothing.
    async fn answering(mut self, wishes: &Wishes) -> Result<Self, ImageError> {
        let address = self.address();
        let answer = async {
            loop {
                match Client::connect(&address, wishes).await {
                    Ok(client) => return client.disconnect().await,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        };
        let ended = tokio::select! {
            () = answer => None,
            status = self.child.wait() => Some(status),
            () = sleep(OPENING) => return Err(failed(QEMU_NBD, &"it does not answer")),
        };
        let Some(status) = ended else {
            return Ok(self);
        };
        let status = status.map_err(|error| failed(QEMU_NBD, &error))?;
        let words = self.words.await.unwrap_or_default();
        Err(complaint(QEMU_NBD, &self.image, status, &words))
    }

    /// Where it is served, under the empty name.
    pub fn address(&self) -> Address {
        Address::Unix(self.socket.0.clone())
    }

    /// The image.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The number of the process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends the server when its clients have hung up. Whatever they wrote is on the disk then.
    ///
    /// # Errors
    /// When that failed, or the server had ended before.
    pub async fn end(mut self) -> Result<(), ImageError> {
        let flushed = if self.writable {
            self.flush().await
        } else {
            Ok(())
        };
        // A child that was not waited for keeps its number.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended by itself, which its status tells.
            let _ = kill_process(pid, Signal::TERM);
        }
        let status = timeout(CLOSING, self.child.wait()).await;
        let status = status.map_err(|_| failed(QEMU_NBD, &"it does not end"))?;
        let status = status.map_err(|error| failed(QEMU_NBD, &error))?;
        let words = self.words.await.unwrap_or_default();
        if !status.success() {
            return Err(complaint(QEMU_NBD, &self.image, status, &words));
        }
        flushed
    }

    /// Errors of writing are told to who flushes, and to nobody when the server ends.
    async fn flush(&self) -> Result<(), ImageError> {
        let wishes = Wishes::new("").patience(CLOSING);
        let failed = || ImageError::nbd(&self.image);
        let client = Client::connect(&self.address(), &wishes).await;
        let client = client.map_err(failed())?;
        let flushed = client.flush().await.map_err(failed());
        client.disconnect().await;
        flushed
    }
}

/// Removes a socket that nobody listens at any more.
async fn forget(socket: &Path) -> Result<(), ImageError> {
    match tokio::fs::remove_file(socket).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ImageError::io("removing", socket)(error))
        }
        _ => Ok(()),
    }
}
