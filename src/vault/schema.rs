//! The tables, their versions, and the recognition of a file before anything is done with it.

use super::error::{Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// SQLite's `application_id`: "ktrv".
const APPLICATION: i32 = i32::from_be_bytes(*b"ktrv");

/// One step a version: `MIGRATIONS[n]` takes format n to n + 1. Never edited once released.
const MIGRATIONS: &[&str] = &["
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

/// The format this version writes.
pub(super) fn latest() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("a handful of versions")
}

/// Makes the tables in a new, empty file; part of the caller's transaction.
pub(super) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "application_id", APPLICATION)?;
    migrate(db, 0)
}

fn migrate(db: &Connection, from: i32) -> rusqlite::Result<()> {
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        db.execute_batch(step)?;
    }
    db.pragma_update(None, "user_version", latest())
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

/// Opens a vault after having made sure that it is one, whole, and of a format this version knows.
/// A file that is not is left exactly as it is.
pub(super) fn open(path: &Path) -> Result<Connection> {
    look_at_header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut db = connect(path, flags).map_err(|error| sqlite(path, error))?;
    let version = recognise(&db, path)?;
    if version < latest() {
        let upgrade = |db: &mut Connection| {
            let upgrade = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been quicker.
            let version = upgrade.pragma_query_value(None, "user_version", |row| row.get(0))?;
            migrate(&upgrade, version)?;
            upgrade.commit()
        };
        upgrade(&mut db).map_err(|error| sqlite(path, error))?;
    }
    Ok(db)
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
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(foreign("it is not a file"));
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
    if version > latest() {
        return Err(Error::Newer {
            path: path.into(),
            found: version,
            known: latest(),
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
    for step in MIGRATIONS.iter().take(usize::try_from(version).unwrap_or(0)) {
        db.execute_batch(step)?;
    }
    schema_of(&db)
}

/// That a file is shorter than its own header says, if it is. Only said of files in which something is wrong: in
/// the middle of a commit it is so for a moment.
fn cut_off(path: &Path) -> Option<String> {
    let mut header = [0; 100];
    let mut file = File::open(path).ok()?;
    file.read_exact(&mut header).ok()?;
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        // The format's way of writing it.
        1 => 65536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    let (expected, size) = (page_size * u64::from(pages), file.metadata().ok()?.len());
    (size < expected).then(|| format!("it should have {expected} bytes and has {size}"))
}

/// What an error of SQLite means for the vault at `path`.
pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
    match source.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => Error::Busy { path: path.into() },
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
