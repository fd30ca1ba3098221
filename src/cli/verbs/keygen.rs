//! `keytrail keygen`: the options of ntp-keygen, on the library's [`crate::keygen`].

use crate::cli::exit::{Answer, Failure};
use crate::cli::secret_input;
use crate::cli::ui::Ui;
use crate::keygen::{
    self, Directory, Errors, Existing, Export, Generate, Note, Options, Outcome, Subject, compat, decide,
};
use crate::media::{
    self, Dialect, GroupScheme, KeyAlgorithm, SignatureScheme, certificate::Role, cipher::Cipher,
};
use crate::secret::Secret;
use crate::vocabulary::Refused;
use clap::{ArgAction, Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The variable the password may be in.
const PASSWORD_VARIABLE: &str = "KEYTRAIL_KEYGEN_PASSWORD";

/// Make key media in a directory, with the options of ntp-keygen
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "ntp-keygen's options are what they are"
)]
#[command(
    infer_long_args = true,
    after_help = "Examples:
  keytrail keygen -p xxx -T -I -i red -s mort         trusted host mort of group red, with IFF key
  keytrail keygen -p xxx -i red -s mort -e > iffpar   client parameters of red
  keytrail keygen --password-file pw -s mort          a new certificate, all else as it is

Every failure is exit status 2 and leaves the directory as it was. --compat lists what ntp-keygen \
does otherwise."
)]
pub struct KeygenArgs {
    /// Bits of the identity modulus [default: IFF 1024, GQ 1008, MV 512 or as many as its clients need]
    #[arg(short = 'b', long, value_name = "BITS")]
    imbits: Option<u32>,
    /// Signature scheme of the certificate [default: that of the old one, or RSA-SHA256]
    #[arg(short = 'c', long, value_name = "SCHEME")]
    certificate: Option<String>,
    /// Cipher of private files [default: aes-256-cbc]
    #[arg(short = 'C', long, value_name = "CIPHER")]
    cipher: Option<String>,
    /// Say what was kept and what was made
    #[arg(short = 'd', long, action = ArgAction::Count)]
    debug_level: u8,
    /// The same, as a number
    #[arg(short = 'D', long, value_name = "LEVEL")]
    set_debug_level: Option<u8>,
    /// Write client parameters to standard output
    #[arg(short = 'e', long)]
    id_key: bool,
    /// Make a new GQ key
    #[arg(short = 'G', long)]
    gq_params: bool,
    /// Make a new host key
    #[arg(short = 'H', long)]
    host_key: bool,
    /// Make a new IFF key
    #[arg(short = 'I', long)]
    iffkey: bool,
    /// Secure group [default: that of the old certificate]
    #[arg(short = 'i', long, value_name = "GROUP")]
    ident: Option<String>,
    /// Days the certificate is valid, 1 to 49710 [default: 365]
    #[arg(short = 'l', long, value_name = "DAYS")]
    lifetime: Option<u32>,
    /// Make twenty symmetric keys, and nothing else
    #[arg(short = 'M', long, conflicts_with_all = [
        "imbits", "certificate", "id_key", "gq_params", "host_key", "iffkey", "lifetime", "pvt_cert", "export_passwd",
        "sign_key", "trusted_cert", "mv_params", "mv_keys", "readmit", "export_password_file",
    ])]
    md5key: bool,
    /// Bits of host and sign keys that are made [default: 2048; DSA 1024]
    #[arg(short = 'm', long, value_name = "BITS")]
    modulus: Option<u32>,
    /// Make a private certificate (PC scheme)
    #[arg(short = 'P', long, conflicts_with = "trusted_cert")]
    pvt_cert: bool,
    /// Password of the private files here; visible in the process list, so rather use --password-file
    #[arg(
        short = 'p',
        long,
        alias = "pvt-passwd",
        value_name = "PASSWORD",
        conflicts_with = "password_file"
    )]
    password: Option<String>,
    /// Take the password from the first line of a file, or of standard input (-). Without -p and this, the variable
    /// KEYTRAIL_KEYGEN_PASSWORD, else the host name
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Write the server key to standard output, encrypted with this password
    #[arg(
        short = 'q',
        long,
        alias = "get-pvt-passwd",
        value_name = "PASSWORD",
        conflicts_with = "export_password_file"
    )]
    export_passwd: Option<String>,
    /// The same, with the password from the first line of a file, or of standard input (-)
    #[arg(long, value_name = "FILE")]
    export_password_file: Option<PathBuf>,
    /// Make a new sign key: RSA or DSA
    #[arg(short = 'S', long, value_name = "TYPE")]
    sign_key: Option<String>,
    /// Host, host@group or @group [default host: this machine's name]
    #[arg(short = 's', long, value_name = "HOST[@GROUP]")]
    subject_name: Option<String>,
    /// Make a trusted certificate
    #[arg(short = 'T', long)]
    trusted_cert: bool,
    /// Make a new MV key with this many client keys
    #[arg(short = 'V', long, value_name = "CLIENTS")]
    mv_params: Option<usize>,
    /// Shut MV clients out, by number
    #[arg(short = 'v', long, value_name = "CLIENT", value_delimiter = ',')]
    mv_keys: Vec<usize>,
    /// Let MV clients in again
    #[arg(long, value_name = "CLIENT", value_delimiter = ',')]
    readmit: Vec<usize>,
    /// The MV client whose parameters -e writes [default: 1]
    #[arg(long, value_name = "CLIENT")]
    client: Option<usize>,
    /// Export the key of this scheme only
    #[arg(long, value_enum)]
    scheme: Option<SchemeArg>,
    /// Layout of identity files: what the 4.2.8p15 daemon authenticates with, or what ntp-keygen 4.2.8 writes
    #[arg(long, value_enum, default_value_t = DialectArg::Current)]
    dialect: DialectArg,
    /// Work in this directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print how this differs from ntp-keygen 4.2.8p15
    #[arg(long)]
    compat: bool,
    // -v and -q mean something else here: these take the place of the options every verb has.
    /// Say more about what goes on
    #[arg(long, action = ArgAction::Count)]
    verbose: u8,
    /// Say less: no warnings, only errors
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemeArg {
    /// Schnorr
    Iff,
    /// Guillou-Quisquater
    Gq,
    /// Mu-Varadharajan
    Mv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DialectArg {
    /// Authenticates with ntpd 4.2.8p15
    Current,
    /// As ntp-keygen 4.2.8 writes, for comparison and older daemons
    Documented,
}

impl From<SchemeArg> for GroupScheme {
    fn from(scheme: SchemeArg) -> Self {
        match scheme {
            SchemeArg::Iff => Self::Iff,
            SchemeArg::Gq => Self::Gq,
            SchemeArg::Mv => Self::Mv,
        }
    }
}

/// Runs the verb.
pub fn run(args: &KeygenArgs, out: &mut Ui) -> Result<Answer, Failure> {
    if args.compat {
        return print_differences(out).map(|()| Answer::Yes);
    }
    let options = args.options()?;
    options.check().map_err(nothing_written)?;
    if args.password.is_some() || args.export_passwd.is_some() {
        out.note(
            "warning: a password on the command line is visible in the process list; --password-file FILE keeps it out",
        );
    }
    let directory = Directory::open(&args.dir).map_err(nothing_written)?;
    let outcome = make(args, &options, &directory).map_err(nothing_written)?;
    for note in &outcome.notes {
        match note {
            Note::Warning(text) => out.note(&format!("warning: {text}")),
            Note::Info(text) => out.note(&format!("note: {text}")),
        }
    }
    if args.debug_level > 0 || args.set_debug_level.unwrap_or(0) > 0 {
        outcome.details.iter().for_each(|detail| out.note(detail));
    }
    if !outcome.files.is_empty() || !outcome.links.is_empty() {
        directory.write(&outcome).map_err(|errors| {
            failure(
                "the run could not be finished; what was new is removed again up to the links",
                errors,
            )
        })?;
        tell(&outcome, out);
    }
    for (name, bytes) in &outcome.exports {
        out.bytes(bytes.expose())?;
        out.note(&format!("exported {name}"));
    }
    Ok(Answer::Yes)
}

fn make(args: &KeygenArgs, options: &Options, directory: &Directory) -> keygen::Result<Outcome> {
    let present = directory.observe(options)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if args.md5key {
        return keygen::symmetric_keys(options, &present, now);
    }
    let existing = Existing::read(&present, options)?;
    decide(options, &present, &existing, now)?.make(options)
}

fn tell(outcome: &Outcome, out: &Ui) {
    for (generic, own) in &outcome.settle {
        out.note(&format!("kept {generic} as {own}"));
    }
    for file in &outcome.files {
        let word = if file.replaces { "replaced" } else { "wrote" };
        out.note(&format!("{word} {}", file.path));
    }
    for link in &outcome.links {
        out.note(&format!("{} -> {}", link.name, link.target));
    }
}

fn nothing_written(errors: Errors) -> Failure {
    failure("nothing was written", errors)
}

fn failure(what: &str, Errors(errors): Errors) -> Failure {
    let mut failure = Failure::new(what);
    for error in &errors {
        failure = failure.because(error);
    }
    let helps: std::collections::BTreeSet<String> = errors.iter().filter_map(keygen::Error::help).collect();
    helps.into_iter().fold(failure, Failure::help)
}

fn print_differences(out: &mut Ui) -> Result<(), Failure> {
    out.line("Where keytrail keygen differs from ntp-keygen 4.2.8p15 (on OpenSSL 3):")?;
    for compat::Difference { about, stock, here } in compat::DIFFERENCES {
        out.line(&format!("\n{about}\n  ntp-keygen  {stock}\n  keytrail    {here}"))?;
    }
    Ok(())
}

impl KeygenArgs {
    fn options(&self) -> Result<Options, Failure> {
        let mut errors = Vec::new();
        let subject = self
            .subject_name
            .as_deref()
            .map_or(Ok(Subject::default()), str::parse);
        let subject = subject.and_then(|subject: Subject| subject.with_ident(self.ident.clone()));
        let subject = subject.map_err(|error| errors.push(error)).unwrap_or_default();
        let scheme: Option<SignatureScheme> = parsed(self.certificate.as_deref(), &mut errors);
        let cipher: Option<Cipher> = parsed(self.cipher.as_deref(), &mut errors);
        let sign_key = self
            .sign_key
            .as_deref()
            .and_then(|text| sign_key(text).map_err(|error| errors.push(error.into())).ok());
        if !errors.is_empty() {
            return Err(nothing_written(Errors(errors)));
        }
        let mut options = Options::new(match subject.host {
            Some(host) => host,
            None => machine_name()?,
        });
        options.group = subject.group;
        let stdin = Some(Path::new("-"));
        if self.password_file.as_deref() == stdin && self.export_password_file.as_deref() == stdin {
            return Err(Failure::new("two passwords cannot both come from standard input"));
        }
        options.password = match (&self.password, &self.password_file) {
            (Some(password), _) => Some(Secret::from(password.as_str())),
            (None, Some(path)) => Some(secret_input::from_file("password", path)?),
            (None, None) => std::env::var(PASSWORD_VARIABLE).ok().map(Secret::from),
        };
        options.cipher = cipher.unwrap_or_default();
        options.dialect = match self.dialect {
            DialectArg::Current => Dialect::Current,
            DialectArg::Documented => Dialect::Documented,
        };
        let asked = [
            (self.iffkey, GroupScheme::Iff),
            (self.gq_params, GroupScheme::Gq),
            (self.mv_params.is_some(), GroupScheme::Mv),
        ];
        options.generate = Generate {
            host_key: self.host_key,
            bits: self.modulus,
            sign_key,
            group_keys: asked
                .into_iter()
                .filter(|(asked, _)| *asked)
                .map(|(_, scheme)| scheme)
                .collect(),
            identity_bits: self.imbits,
            mv_clients: self.mv_params.unwrap_or(0),
        };
        options.scheme = scheme;
        options.role = match (self.trusted_cert, self.pvt_cert) {
            (true, _) => Some(Role::Trusted),
            (_, true) => Some(Role::Private),
            _ => None,
        };
        options.lifetime = self.lifetime;
        options.export = Export {
            parameters: self.id_key,
            server_key: match (&self.export_passwd, &self.export_password_file) {
                (Some(password), _) => Some(Secret::from(password.as_str())),
                (None, Some(path)) => Some(secret_input::from_file("password", path)?),
                (None, None) => None,
            },
            client: self.client,
            scheme: self.scheme.map(GroupScheme::from),
        };
        options.revoke = self.mv_keys.iter().copied().collect();
        options.readmit = self.readmit.iter().copied().collect();
        Ok(options)
    }
}

fn parsed<T: FromStr<Err = Refused>>(text: Option<&str>, errors: &mut Vec<keygen::Error>) -> Option<T> {
    text?
        .parse()
        .map_err(|error: Refused| errors.push(error.into()))
        .ok()
}

fn sign_key(text: &str) -> media::Result<KeyAlgorithm> {
    match text.to_ascii_uppercase().as_str() {
        "RSA" => Ok(KeyAlgorithm::Rsa),
        "DSA" => Ok(KeyAlgorithm::Dsa),
        _ => Err(media::Error::Refused {
            what: format!("sign key of type {text:?}"),
            why: "sign keys are RSA or DSA".into(),
            help: "use -S RSA".into(),
        }),
    }
}

/// What gethostname says, and the daemon calls itself without `crypto host`.
fn machine_name() -> Result<String, Failure> {
    let name = rustix::system::uname();
    match name.nodename().to_str() {
        Ok(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(Failure::new("this machine has no usable name").help("name the host with -s")),
    }
}
