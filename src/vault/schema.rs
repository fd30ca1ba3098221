//! The tables, their versions, and the recognition of a file before anything is done with it.

use super::error::{Error, Result};
use super::seal::FORMAT;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

/// SQLite's `application_id`: "ktrv".
const APPLICATION: i32 = i32::from_be_bytes(*b"ktrv");

/// The formats before the present one: step n takes format n to n + 1. Only for telling whether a file is whole that
/// `Vault::upgrade` is to bring forward. Never edited.
const FORMER: &[&str] = &["
-- The data key, sealed with age; and to whom, for telling which key is missing.
CREATE TABLE data_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    age BLOB NOT NULL,
    recipients TEXT NOT NULL
) STRICT;
CREATE TABLE generations (
    id INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    note TEXT NOT NULL,
    inventory BLOB NOT NULL
) STRICT;
CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
-- Contents of files. The bytes are a table of their own, so that reading what there is stays quick.
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    filestamp INTEGER NOT NULL,
    size INTEGER NOT NULL,
    not_after INTEGER,
    spec TEXT NOT NULL,
    UNIQUE (digest, spec)
) STRICT;
CREATE TABLE contents (
    artifact INTEGER PRIMARY KEY REFERENCES artifacts,
    sealed BLOB NOT NULL
) STRICT;
-- Who holds which file from which generation until which, so that what stays is not written again.
CREATE TABLE placements (
    id INTEGER PRIMARY KEY,
    host INTEGER NOT NULL REFERENCES hosts,
    artifact INTEGER NOT NULL REFERENCES artifacts,
    name TEXT NOT NULL,
    links TEXT NOT NULL,
    since INTEGER NOT NULL REFERENCES generations,
    until INTEGER REFERENCES generations,
    seal BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX placed ON placements (host, name) WHERE until IS NULL;
CREATE TABLE secrets (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    filestamp INTEGER,
    spec TEXT NOT NULL,
    since INTEGER NOT NULL REFERENCES generations,
    until INTEGER REFERENCES generations
) STRICT;
CREATE TABLE secret_values (
    secret INTEGER PRIMARY KEY REFERENCES secrets,
    sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX in_force ON secrets (kind, owner) WHERE until IS NULL;
-- What was done with the generations: one row a run, one a host of it, and where each host stands.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    operator TEXT NOT NULL,
    generation INTEGER REFERENCES generations,
    started INTEGER NOT NULL,
    ended INTEGER,
    outcome TEXT
) STRICT;
CREATE TABLE results (
    run INTEGER NOT NULL REFERENCES runs,
    host INTEGER NOT NULL REFERENCES hosts,
    generation INTEGER REFERENCES generations,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, host)
) STRICT, WITHOUT ROWID;
CREATE TABLE applied (
    host INTEGER PRIMARY KEY REFERENCES hosts,
    generation INTEGER NOT NULL REFERENCES generations,
    run INTEGER NOT NULL REFERENCES runs,
    at INTEGER NOT NULL
) STRICT;
", "
-- Nothing, sealed under the data key: tells a process that has it open that the vault was sealed anew meanwhile.
ALTER TABLE data_key ADD COLUMN seal BLOB;
-- When the media of a generation were removed, and the latest filestamp given out by then.
ALTER TABLE generations ADD COLUMN pruned INTEGER;
ALTER TABLE generations ADD COLUMN last_filestamp INTEGER;
-- What a verb must know again the next time, such as how far a rotation is.
CREATE TABLE states (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sealed BLOB NOT NULL
) STRICT;
-- What the daemon of each host was last seen to do.
CREATE TABLE verified (
    host INTEGER PRIMARY KEY REFERENCES hosts,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    good INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
"];

/// The tables of the present format. What the rows mean that other tables had before: standing and brought are what status
/// judges by, so that the results of runs are history alone.
const PRESENT: &str = "
-- The data key, sealed with age.
CREATE TABLE data_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    age BLOB NOT NULL
) STRICT;
-- To whom, and under which name they were added.
CREATE TABLE recipients (
    id INTEGER PRIMARY KEY,
    recipient TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT;
-- The vault's own key pair: the public half, and the private one sealed.
CREATE TABLE identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    public BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
-- What the rows of all tables but those with sealed values add up to, sealed and signed.
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE generations (
    id INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    note TEXT NOT NULL,
    inventory BLOB NOT NULL,
    -- When its media were removed, and the latest filestamp given out by then.
    pruned INTEGER,
    last_filestamp INTEGER
) STRICT;
CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
-- Contents of files. The bytes are a table of their own, so that reading what there is stays quick.
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    filestamp INTEGER NOT NULL,
    size INTEGER NOT NULL,
    not_after INTEGER,
    spec TEXT NOT NULL,
    UNIQUE (digest, spec)
) STRICT;
CREATE TABLE contents (
    artifact INTEGER PRIMARY KEY REFERENCES artifacts,
    sealed BLOB NOT NULL
) STRICT;
-- Who holds which file from which generation until which, so that what stays is not written again.
CREATE TABLE placements (
    id INTEGER PRIMARY KEY,
    host INTEGER NOT NULL REFERENCES hosts,
    artifact INTEGER NOT NULL REFERENCES artifacts,
    name TEXT NOT NULL,
    links TEXT NOT NULL,
    since INTEGER NOT NULL REFERENCES generations,
    until INTEGER REFERENCES generations
) STRICT;
CREATE UNIQUE INDEX placed ON placements (host, name) WHERE until IS NULL;
CREATE TABLE secrets (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    filestamp INTEGER,
    spec TEXT NOT NULL,
    since INTEGER NOT NULL REFERENCES generations,
    until INTEGER REFERENCES generations
) STRICT;
CREATE TABLE secret_values (
    secret INTEGER PRIMARY KEY REFERENCES secrets,
    sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX in_force ON secrets (kind, owner) WHERE until IS NULL;
-- What a verb must know again the next time, such as how far a rotation is.
CREATE TABLE states (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sealed BLOB NOT NULL
) STRICT;
-- What was done with the generations: one row a run with what its results add up to, one a host of it.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    operator TEXT NOT NULL,
    generation INTEGER REFERENCES generations,
    started INTEGER NOT NULL,
    ended INTEGER,
    outcome TEXT,
    results INTEGER NOT NULL,
    sum BLOB NOT NULL
) STRICT;
CREATE TABLE results (
    run INTEGER NOT NULL REFERENCES runs,
    host INTEGER NOT NULL REFERENCES hosts,
    generation INTEGER REFERENCES generations,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, host)
) STRICT, WITHOUT ROWID;
-- The generation each host was last brought to, by which run and when; and when it was last changed in any way.
CREATE TABLE standing (
    host INTEGER PRIMARY KEY REFERENCES hosts,
    generation INTEGER REFERENCES generations,
    run INTEGER REFERENCES runs,
    at INTEGER,
    changed INTEGER
) STRICT;
-- When each host was brought to a generation for the first and for the last time.
CREATE TABLE brought (
    host INTEGER NOT NULL REFERENCES hosts,
    generation INTEGER NOT NULL REFERENCES generations,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (host, generation)
) STRICT, WITHOUT ROWID;
-- What the daemon of each host was last seen to do.
CREATE TABLE verified (
    host INTEGER PRIMARY KEY REFERENCES hosts,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    good INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
";

/// Makes the tables in a new, empty file; part of the caller's transaction.
pub(super) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "application_id", APPLICATION)?;
    db.execute_batch(PRESENT)?;
    db.pragma_update(None, "user_version", FORMAT)
}

/// Opens the file with the settings every vault connection has.
///
/// The journal is SQLite's rollback journal, not a WAL: the vault is a single file whenever nobody writes, so
/// `cp`, backups and network homes get all of it, and a generation is appended once instead of twice. EXTRA
/// syncs the directory too, so that a finished commit survives a power cut. Dirty pages are not spilled before
/// the commit: a generation that takes minutes to mint leaves readers undisturbed until its last moment.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Longer than the backup of a large vault keeps a writer from its commit.
    db.busy_timeout(Duration::from_secs(60))?;
    // The file may have been prepared by somebody else: none of its own code is run.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    db.set_prepared_statement_cache_capacity(32);
    db.execute_batch(
        "PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON; PRAGMA cache_spill = OFF;
         PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(db)
}

/// Opens a vault after having made sure that it is one, whole, and of the present format.
/// A file that is not is left exactly as it is.
///
/// # Errors
/// [`Error::Outdated`] for a whole one of an earlier format.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let (db, found) = open_any(path)?;
    if found < FORMAT {
        return Err(Error::Outdated {
            path: path.into(),
            found,
            known: FORMAT,
        });
    }
    Ok(db)
}

/// The same for any format this version knows, with which one it is.
pub(super) fn open_any(path: &Path) -> Result<(Connection, i32)> {
    look_at_header(path)?;
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| sqlite(path, error))?;
    let version = recognise(&db, path)?;
    Ok((db, version))
}

/// The first 100 bytes, before SQLite sees the file. Their meaning: <https://sqlite.org/fileformat.html>.
pub(super) fn look_at_header(path: &Path) -> Result<()> {
    let foreign = |why: &str| Error::Foreign {
        path: path.into(),
        why: why.into(),
    };
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound { path: path.into() },
        _ => Error::io(path)(source),
    };
    // A pipe would be waited for, for ever.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(io)?;
    let kind = file.metadata().map_err(io)?.file_type();
    if !kind.is_file() {
        return Err(foreign(match () {
            () if kind.is_dir() => "it is a directory",
            () if kind.is_fifo() => "it is a pipe",
            () if kind.is_char_device() || kind.is_block_device() => "it is a device",
            () => "it is not a file",
        }));
    }
    let mut header = Vec::new();
    file.take(100).read_to_end(&mut header).map_err(io)?;
    if header.is_empty() {
        return Err(foreign("it is empty"));
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(foreign("it is not an SQLite database"));
    }
    let Some(&[a, b, c, d]) = header.get(68..72) else {
        return Err(Error::Corrupt {
            path: path.into(),
            why: "it ends within its header".into(),
        });
    };
    if i32::from_be_bytes([a, b, c, d]) != APPLICATION {
        return Err(foreign("it is a database of another program"));
    }
    Ok(())
}

/// Version of the format, if the file is whole and has the tables of that version.
pub(super) fn recognise(db: &Connection, path: &Path) -> Result<i32> {
    let sqlite = |error| sqlite(path, error);
    let corrupt = |why: String| Error::Corrupt {
        path: path.into(),
        why,
    };
    // Within one read transaction the file does not change under us; an interrupted commit is rolled back here.
    let reading = db.unchecked_transaction().map_err(sqlite)?;
    let number = |pragma: &str| reading.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables = schema_of(&reading).map_err(sqlite)?;
    let version = i32::try_from(number("user_version").map_err(sqlite)?).unwrap_or(i32::MAX);
    if version > FORMAT {
        return Err(Error::Newer {
            path: path.into(),
            found: version,
            known: FORMAT,
        });
    }
    let expected = number("page_count").map_err(sqlite)? * number("page_size").map_err(sqlite)?;
    let size = std::fs::metadata(path).map_err(Error::io(path))?;
    if i128::from(size.len()) < i128::from(expected) {
        return Err(corrupt(format!(
            "it should have {expected} bytes and has {}",
            size.len()
        )));
    }
    if version < 1 || tables != schema_of_version(version).map_err(sqlite)? {
        return Err(corrupt(format!("its tables are not those of format {version}")));
    }
    Ok(version)
}

type Schema = Vec<(String, String, String)>;

fn schema_of(db: &Connection) -> rusqlite::Result<Schema> {
    db.prepare(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY type, name",
    )?
    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
    .collect()
}

fn schema_of_version(version: i32) -> rusqlite::Result<Schema> {
    let db = Connection::open_in_memory()?;
    if version == FORMAT {
        db.execute_batch(PRESENT)?;
    }
    let former = usize::try_from(version).unwrap_or(0);
    for step in FORMER.iter().take(former).filter(|_| version < FORMAT) {
        db.execute_batch(step)?;
    }
    schema_of(&db)
}

/// How long a file is, and should be by its own header.
pub(super) fn lengths(path: &Path) -> Option<(u64, u64)> {
    let mut header = [0; 100];
    let mut file = File::open(path).ok()?;
    file.read_exact(&mut header).ok()?;
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        // The format's way of writing it.
        1 => 65536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    Some((file.metadata().ok()?.len(), page_size * u64::from(pages)))
}

/// That a file is shorter than its own header says, if it is. Only said of files in which something is wrong: in
/// the middle of a commit it is so for a moment.
fn cut_off(path: &Path) -> Option<String> {
    let (size, expected) = lengths(path)?;
    (size < expected).then(|| format!("it should have {expected} bytes and has {size}"))
}

/// What an error of SQLite means for the vault at `path`.
pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
    match source.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => Error::Busy { path: path.into() },
        None if unreadable(&source) => Error::Corrupt {
            path: path.into(),
            why: format!("a row cannot be read ({source})"),
        },
        Some(DatabaseCorrupt | NotADatabase) => Error::Corrupt {
            path: path.into(),
            why: cut_off(path).unwrap_or_else(|| source.to_string()),
        },
        _ => Error::Sqlite {
            path: path.into(),
            source,
        },
    }
}

/// Whether a value is of another type than the table has.
fn unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}
