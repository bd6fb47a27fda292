//! The first copy of a disk, beside `nbdcopy`: 1.5 GiB of data in 6 GiB, from one `qemu-nbd` to another, in
//! turns, five times each.
//!
//!     cargo bench -p drover-mover --bench copy -- [--folder FOLDER] [--request BYTES] [--in-flight N] [--turns N]
//!
//! The images go to the folder, or to the temporary one: 5 GiB have to be free there. Both tools flush, both
//! are told that the target is empty, and the time of starting the process is in both figures. Beside how long
//! each took stands how much processor time all three processes took, which a busy machine falsifies less.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drover_mover::nbd::{Address, Client, Wishes};
use drover_mover::transfer::{Options, TargetState, Transfer};

const SIZE: u64 = 6 << 30;
const RUN: u64 = 4 << 20;
const EVERY: u64 = 16 << 20;
const TURNS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut folder = std::env::temp_dir();
    let mut options = Options {
        target: TargetState::Fresh,
        ..Options::default()
    };
    let (mut sockets, mut turns) = (Vec::new(), TURNS);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--folder" => folder = arguments.next().unwrap().into(),
            "--request" => options.request = arguments.next().unwrap().parse().unwrap(),
            "--turns" => turns = arguments.next().unwrap().parse().unwrap(),
            "--in-flight" => options.in_flight = arguments.next().unwrap().parse().unwrap(),
            "--copy" => sockets.extend(arguments.by_ref().take(2).map(PathBuf::from)),
            _ => {}
        }
    }
    match &sockets[..] {
        [source, target] => copy(source, target, options),
        _ => measure(&folder, options, turns),
    }
}

/// The copy itself, in a process of its own so that its memory can be told.
fn copy(source: &Path, target: &Path, options: Options) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let copied = runtime.block_on(async {
        let wishes = Wishes::new("").context("base:allocation");
        let source = Client::connect(&Address::Unix(source.into()), &wishes)
            .await
            .unwrap();
        let target = Address::Unix(target.into());
        let target = Client::connect(&target, &Wishes::new("")).await.unwrap();
        let mover = Transfer::new(&source, &target, options).unwrap();
        mover.full().await.unwrap()
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("    {} MiB read, {peak}", copied.read >> 20);
}

fn measure(folder: &Path, options: Options, turns: usize) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let image = source_image(folder.path());
    let socket = folder.path().join("source.sock");
    let source = serve(&["-r"], &image, &socket);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        ours.push(turn(folder.path(), &source, |target| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--request", &options.request.to_string()]);
            command.args(["--in-flight", &options.in_flight.to_string()]);
            command.arg("--copy").arg(&socket).arg(target);
            command
        }));
        theirs.push(turn(folder.path(), &source, |target| {
            let uri = |socket: &Path| format!("nbd+unix:///?socket={}", socket.display());
            let mut command = Command::new("nbdcopy");
            command.args([
                "--flush",
                "--destination-is-zero",
                &uri(&socket),
                &uri(target),
            ]);
            command
        }));
    }
    stop(source);
    println!(
        "request {} KiB, {} in flight",
        options.request >> 10,
        options.in_flight
    );
    println!("seconds, and seconds of processor time of all three processes:");
    println!("ours    {ours:.2?}");
    println!("nbdcopy {theirs:.2?}");
    for (what, of) in [("seconds", 0), ("processor time", 1)] {
        let (ours, theirs) = (median(&ours, of), median(&theirs, of));
        let ratio = theirs / ours;
        println!("{what}: medians {ours:.2} and {theirs:.2}, nbdcopy's is {ratio:.2} x ours");
    }
}

/// How long it takes to fill a fresh target, and how much processor time.
fn turn(folder: &Path, source: &Child, command: impl Fn(&Path) -> Command) -> [f64; 2] {
    let (image, socket) = (folder.join("target.qcow2"), folder.join("target.sock"));
    run(Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&image)
        .arg(SIZE.to_string()));
    let target = serve(&[], &image, &socket);
    let spent = || processor(&source.id().to_string(), 13) + processor("self", 15);
    let (begun, before) = (Instant::now(), spent());
    run(&mut command(&socket));
    let took = begun.elapsed().as_secs_f64();
    stop(target);
    std::fs::remove_file(image).unwrap();
    let _ = std::fs::remove_file(socket);
    [took, spent() - before]
}

/// Seconds, from two neighbours in `/proc/PID/stat`: of a process itself, or of its children that ended.
fn processor(process: &str, field: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(field) + ticks(field + 1)) / 100.0
}

fn source_image(folder: &Path) -> PathBuf {
    let (raw, image) = (folder.join("source.raw"), folder.join("source.qcow2"));
    let file = File::create(&raw).unwrap();
    file.set_len(SIZE).unwrap();
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut state = 88_172_645_463_325_252_u64;
    for at in (0..SIZE).step_by(usize::try_from(EVERY).unwrap()) {
        file.seek(SeekFrom::Start(at)).unwrap();
        for _ in 0..RUN / 8 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            file.write_all(&state.to_ne_bytes()).unwrap();
        }
    }
    file.flush().unwrap();
    run(Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "qcow2"])
        .args([&raw, &image]));
    std::fs::remove_file(raw).unwrap();
    image
}

fn serve(more: &[&str], image: &Path, socket: &Path) -> Child {
    let mut server = Command::new("qemu-nbd");
    server
        .args(["-t", "-e", "8", "-f", "qcow2", "-k"])
        .arg(socket);
    let server = server
        .args(more)
        .arg(image)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while UnixStream::connect(socket).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    server
}

fn stop(mut server: Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn median(all: &[[f64; 2]], of: usize) -> f64 {
    let mut all: Vec<f64> = all.iter().map(|turn| turn[of]).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
