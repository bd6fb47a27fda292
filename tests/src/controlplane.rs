//! A real API server for tests: etcd and kube-apiserver as plain processes, without containers.
//!
//! ```no_run
//! use drover_tests::controlplane::ControlPlane;
//!
//! let control_plane = ControlPlane::shared().unwrap();
//! let answer = control_plane.kubectl(&["get", "namespaces"]).unwrap();
//! assert!(answer.status.success());
//! ```
//!
//! The binaries come from the folder in `DROVER_CONTROLPLANE`, else from the one that
//! `tests/controlplane/build` prints. All else is made at run time in a temporary folder and ends
//! with the test process, however that ends; see [`processes`].

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{Read as _, Seek as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

mod error;
mod etcd;
mod processes;

use error::Doing as _;
pub use error::Error;
use processes::Processes;

/// Ports are chosen free, then used: somebody else may take one in between. Twice in a row is
/// already unlikely.
const PORT_ATTEMPTS: usize = 3;

/// Seconds on a quiet machine; a busy one with two cores gets the benefit of the doubt.
const READY_TIMEOUT: Duration = Duration::from_secs(90);
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// Enough for what tests with controllers look at: what is owned goes when its owner goes,
/// namespaces end, service accounts exist, aggregated roles fill. There are no nodes, so running
/// workloads is nobody's business here.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,\
    serviceaccount-controller,serviceaccount-token-controller,\
    root-ca-certificate-publisher-controller,clusterrole-aggregation-controller";

/// Who asked for what, and of what was said the status of Drover's objects; once for each request, and for
/// a watch when it begins.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: Metadata
    verbs: [watch]
    omitStages: [RequestReceived, ResponseComplete]
  - level: Request
    verbs: [update]
    resources: [{ group: drover.dev, resources: [\"*/status\"] }]
    omitStages: [RequestReceived]
  - level: Metadata
    omitStages: [RequestReceived]
";

/// A running etcd and kube-apiserver that belong to this process.
///
/// The caller of [`url`](Self::url) with [`token`](Self::token) is a cluster administrator.
#[derive(Debug)]
pub struct ControlPlane {
    // Declared before the folder: fields are dropped in this order, and the processes must be gone
    // before their folder goes.
    processes: Processes,
    folder: TempDir,
    assets: PathBuf,
    api_port: u16,
    etcd_port: u16,
    token: String,
    flavour: Flavour,
}

/// A process of a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Without it nobody is answered.
    ApiServer,
    /// Without it the API server knows nothing.
    Etcd,
}

impl Part {
    fn program(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::Etcd => "etcd",
        }
    }
}

/// What differs between control planes.
#[derive(Debug, Clone, Copy, Default)]
struct Flavour {
    /// Whether a kube-controller-manager runs beside it.
    controllers: bool,
    /// Whether the API server writes down who asked it for what.
    audited: bool,
    /// Whether the store survives a power cut.
    durable: bool,
}

impl ControlPlane {
    /// Starts a control plane of one's own and returns when it is ready to serve.
    ///
    /// Nothing reacts to objects in it: owned objects outlive their owners, and a namespace stays
    /// `Terminating`. Tests about that use [`start_with_controllers`](Self::start_with_controllers).
    ///
    /// # Errors
    ///
    /// If the binaries can be neither found nor built, or do not become ready in time.
    pub fn start() -> Result<Self, Error> {
        Self::start_on_free_ports(Flavour::default())
    }

    /// Like [`start`](Self::start), with a kube-controller-manager for garbage collection,
    /// namespaces and service accounts.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); also if the folder of binaries has no kube-controller-manager,
    /// as is so for those envtest downloads.
    pub fn start_with_controllers() -> Result<Self, Error> {
        Self::start_on_free_ports(Flavour {
            controllers: true,
            ..Flavour::default()
        })
    }

    /// Like [`start`](Self::start), with an [audit log](Self::audit_log_path).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with_audit() -> Result<Self, Error> {
        Self::start_on_free_ports(Flavour {
            audited: true,
            ..Flavour::default()
        })
    }

    /// Like [`start`](Self::start), with a store that survives a power cut, as that of a cluster does: for
    /// figures.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_durable() -> Result<Self, Error> {
        Self::start_on_free_ports(Flavour {
            durable: true,
            ..Flavour::default()
        })
    }

    /// The one control plane (without controllers) that all tests of one test binary share.
    ///
    /// Tests keep apart by using a namespace each.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); a failure is remembered too, so that a hundred tests do not each
    /// wait for the same one.
    pub fn shared() -> Result<&'static Self, &'static Error> {
        static SHARED: OnceLock<Result<ControlPlane, Error>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Where the API is served, such as `https://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port)
    }

    /// The bearer token of a cluster administrator.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The certificates (PEM) to trust when talking to [`url`](Self::url).
    pub fn certificate_authority_path(&self) -> PathBuf {
        self.certificates().join("apiserver.crt")
    }

    /// A kubeconfig that holds all of the above.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The audit log of a control plane that was [started with one](Self::start_with_audit): a line
    /// of JSON for each request that was answered. See [`crate::rights`].
    pub fn audit_log_path(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// The port of [`url`](Self::url).
    pub fn port(&self) -> u16 {
        self.api_port
    }

    /// Kills one of its processes, as a power cut does.
    pub fn kill(&mut self, part: Part) {
        self.processes.kill(part.program());
    }

    /// Starts a [killed](Self::kill) process again, with the data that it had, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// If it does not become ready in time.
    pub fn start_again(&mut self, part: Part) -> Result<(), Error> {
        match part {
            Part::ApiServer => self.start_api_server(),
            Part::Etcd => self.start_etcd(),
        }
    }

    /// Lets etcd forget all history up to now, as it does by itself in time: who asks for an older version
    /// is told that it is gone.
    ///
    /// # Errors
    ///
    /// If etcd does not answer.
    pub fn compact_etcd(&self) -> Result<(), Error> {
        etcd::compact(self.etcd_port)
    }

    /// Runs the control plane's own `kubectl` as administrator; a non-zero exit is not an error
    /// here but part of the answer.
    ///
    /// # Errors
    ///
    /// If `kubectl` cannot be run.
    pub fn kubectl(&self, args: &[&str]) -> Result<Output, Error> {
        self.run_kubectl(args, Stdio::null())
    }

    /// As [`kubectl`](Self::kubectl), with something to read, as in `apply --filename=-`.
    ///
    /// # Errors
    ///
    /// If `kubectl` cannot be run.
    pub fn kubectl_with_input(&self, args: &[&str], input: &str) -> Result<Output, Error> {
        // A file, not a pipe: kubectl answers while it reads, and with two full pipes it and the
        // one who writes before reading would wait for each other.
        let mut file = tempfile::tempfile().doing("make a temporary file")?;
        file.write_all(input.as_bytes())
            .and_then(|()| file.rewind())
            .doing("write a temporary file")?;
        self.run_kubectl(args, file.into())
    }

    fn run_kubectl(&self, args: &[&str], input: Stdio) -> Result<Output, Error> {
        Command::new(self.assets.join("kubectl"))
            .args(args)
            .env("KUBECONFIG", self.kubeconfig_path())
            // The home of whoever runs the tests neither changes what kubectl does nor fills up.
            .env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"))
            .env("KUBERC", "off")
            .stdin(input)
            .output()
            .doing("run kubectl")
    }

    fn start_on_free_ports(flavour: Flavour) -> Result<Self, Error> {
        let assets = assets()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(assets.clone(), flavour) {
                Err(error) if error.is_port_taken() && attempt < PORT_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn start_once(assets: PathBuf, flavour: Flavour) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("drover-controlplane-")
            .tempdir()
            .doing("make a temporary folder")?;
        let (etcd_port, api_port) = free_ports()?;
        let mut this = Self {
            processes: Processes::new(folder.path())?,
            folder,
            assets,
            api_port,
            etcd_port,
            token: random_token()?,
            flavour,
        };
        this.write_credentials()?;
        this.start_etcd()?;
        this.start_api_server()?;
        if flavour.controllers {
            this.start_controller_manager()?;
        }
        Ok(this)
    }

    fn write_credentials(&self) -> Result<(), Error> {
        let line = format!("{},admin,admin,system:masters\n", self.token);
        fs::write(self.token_file(), line).doing("write the token file")?;

        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": {
                "server": self.url(),
                "certificate-authority": self.certificate_authority_path(),
            }}],
            "users": [{ "name": "admin", "user": { "token": self.token } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "admin" } }],
            "current-context": "test",
        });
        // JSON is YAML.
        fs::write(self.kubeconfig_path(), kubeconfig.to_string()).doing("write the kubeconfig")
    }

    fn start_etcd(&mut self) -> Result<(), Error> {
        let url = self.etcd_url();
        let mut etcd = Command::new(self.assets.join("etcd"));
        etcd.arg(path_flag("--data-dir", &self.folder.path().join("etcd")))
            .arg(format!("--listen-client-urls={url}"))
            .arg(format!("--advertise-client-urls={url}"))
            // It has no peers; port 0 keeps it off the well-known one.
            .arg("--listen-peer-urls=http://127.0.0.1:0");
        if !self.flavour.durable {
            // The data need not outlive the machine, only its processes.
            etcd.arg("--unsafe-no-fsync");
        }
        self.processes.spawn("etcd", etcd)?;
        // The API server tries again only after a second, so it starts when etcd listens.
        self.wait_until("etcd", |this| Ok(accepts(this.etcd_port)))
    }

    /// Starts kube-apiserver on this control plane's port and data, and waits until it is ready.
    fn start_api_server(&mut self) -> Result<(), Error> {
        // The API server makes a serving key when it finds none in its --cert-dir, before it reads
        // any other: letting it sign service account tokens with that one too leaves no key for us
        // to make. A restart finds the same key again.
        let key = self.service_account_key();
        let mut server = Command::new(self.assets.join("kube-apiserver"));
        server
            .arg(format!("--etcd-servers={}", self.etcd_url()))
            .arg("--bind-address=127.0.0.1")
            .arg("--advertise-address=127.0.0.1")
            .arg(format!("--secure-port={}", self.api_port))
            .arg(path_flag("--cert-dir", &self.certificates()))
            .arg(path_flag("--token-auth-file", &self.token_file()))
            .arg("--authorization-mode=RBAC")
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(path_flag("--service-account-signing-key-file", &key))
            .arg(path_flag("--service-account-key-file", &key))
            // All of 127/8 is this machine: a service is whoever listens at its address.
            .arg("--service-cluster-ip-range=127.77.0.0/24")
            .arg("--allow-privileged=true")
            // A loopback address is not a valid endpoint of the service `kubernetes`.
            .arg("--endpoint-reconciler-type=none")
            .arg("--profiling=false");
        if self.flavour.audited {
            let policy = self.folder.path().join("audit-policy.yaml");
            fs::write(&policy, AUDIT_POLICY).doing("write the audit policy")?;
            server
                .arg(path_flag("--audit-policy-file", &policy))
                .arg(path_flag("--audit-log-path", &self.audit_log_path()))
                // Written before the answer is given: who has the answer finds the line.
                .arg("--audit-log-mode=blocking")
                // Who looks at rights wants them all to be asked for, as some distributions do.
                .arg("--enable-admission-plugins=OwnerReferencesPermissionEnforcement");
        }
        if !self.flavour.controllers {
            // Nobody makes service accounts, and this plugin refuses pods without one.
            server.arg("--disable-admission-plugins=ServiceAccount");
        }
        self.processes.spawn("kube-apiserver", server)?;
        self.wait_for_answer("kube-apiserver", &["get", "--raw", "/readyz"])
    }

    fn start_controller_manager(&mut self) -> Result<(), Error> {
        let mut manager = Command::new(self.assets.join("kube-controller-manager"));
        manager
            .arg(path_flag("--kubeconfig", &self.kubeconfig_path()))
            .arg(format!("--controllers={CONTROLLERS}"))
            .arg(path_flag(
                "--service-account-private-key-file",
                &self.service_account_key(),
            ))
            .arg(path_flag(
                "--root-ca-file",
                &self.certificate_authority_path(),
            ))
            .arg("--use-service-account-credentials=true")
            .arg("--leader-elect=false")
            // It is asked nothing, so it serves nothing.
            .arg("--secure-port=0");
        self.processes.spawn("kube-controller-manager", manager)?;
        self.wait_for_answer(
            "kube-controller-manager",
            &["get", "serviceaccount", "default", "--namespace=default"],
        )
    }

    /// Waits until `kubectl` with `args` succeeds: asking that way spares an HTTP client.
    fn wait_for_answer(&mut self, program: &'static str, args: &[&str]) -> Result<(), Error> {
        self.wait_until(program, |this| {
            // Asking whether anybody listens is cheaper than starting kubectl.
            Ok(accepts(this.api_port) && this.kubectl(args)?.status.success())
        })
    }

    fn wait_until(
        &mut self,
        program: &'static str,
        is_ready: impl Fn(&Self) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let started = Instant::now();
        while !is_ready(self)? {
            self.processes.ensure_running()?;
            let after = started.elapsed();
            if after > READY_TIMEOUT {
                return Err(Error::NotReady {
                    program,
                    after,
                    log: self.processes.log_tail(program),
                });
            }
            thread::sleep(READY_INTERVAL);
        }
        // Who answered on a port may be somebody else who took it before us.
        self.processes.ensure_running()
    }

    fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }

    fn certificates(&self) -> PathBuf {
        self.folder.path().join("certificates")
    }

    fn service_account_key(&self) -> PathBuf {
        self.certificates().join("apiserver.key")
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("tokens.csv")
    }
}

/// The `kubectl` that belongs to the control plane, for use with another API.
///
/// # Errors
///
/// If the binaries can be neither found nor built.
pub fn kubectl_path() -> Result<PathBuf, Error> {
    Ok(assets()?.join("kubectl"))
}

/// The folder of binaries.
fn assets() -> Result<PathBuf, Error> {
    if let Some(folder) = env::var_os("DROVER_CONTROLPLANE") {
        return Ok(folder.into());
    }
    // stderr is inherited: a first build takes minutes and says so.
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/build"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .doing("run tests/controlplane/build")?;
    if !output.status.success() {
        return Err(Error::Build {
            status: output.status,
        });
    }
    let path = output.stdout.trim_ascii_end().to_vec();
    Ok(OsString::from_vec(path).into())
}

/// Two ports nobody listens on.
fn free_ports() -> Result<(u16, u16), Error> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("find a free port");
    let port = |listener: &TcpListener| {
        listener
            .local_addr()
            .map(|address| address.port())
            .doing("find a free port")
    };
    // Both at once, so that they differ.
    let (first, second) = (bind()?, bind()?);
    Ok((port(&first)?, port(&second)?))
}

fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// New at each start, so that no secret, however small, is ever written into the repository.
fn random_token() -> Result<String, Error> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .doing("make a random token")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn path_flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push("=");
    flag.push(path);
    flag
}
