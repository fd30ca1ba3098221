//! Bringing a vault of a former format forward: every value sealed anew under a new data key, in a new file with an identity of
//! its own. The old file stays beside it.

use super::books::Books;
use super::error::{Error, Result};
use super::generation_id::GenerationId;
use super::history::{Applied, Outcome};
use super::key::KeySource;
use super::ledger::Tally;
use super::legacy::{self, Legacy};
use super::lock::Lock;
use super::model::SecretKind;
use super::owners::{Operator, Owners, PASSPHRASE};
use super::runs::RunId;
use super::signature::Signer;
use super::vault_id::VaultId;
use super::{NewVault, Vault, copy, identity, schema};
use rusqlite::Row;
use rusqlite::types::{FromSqlError, Value};
use std::path::{Path, PathBuf};

/// What a vault of a former format holds, to be shown before it is brought forward.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Former {
    /// Its format.
    pub format: i32,
    /// Whom it is sealed to, as it says: in that format nothing shows that the list is what was written.
    pub recipients: Vec<String>,
    /// Generations.
    pub generations: u64,
    /// Hosts.
    pub hosts: u64,
    /// Contents of files.
    pub files: u64,
    /// Passwords, keys, group keys, in all their versions.
    pub secrets: u64,
    /// What verbs keep for the next time.
    pub states: u64,
    /// Runs.
    pub runs: u64,
}

impl Former {
    /// Looks into the vault at `path`.
    ///
    /// # Errors
    /// [`Error::Current`] if it is in the present format; what is wrong with it.
    pub fn look(path: &Path, key: &KeySource) -> Result<Self> {
        let old = Legacy::open(path, key)?;
        Ok(Self {
            format: old.format,
            recipients: old.recipients.clone(),
            generations: old.count("generations")?,
            hosts: old.count("hosts")?,
            files: old.count("artifacts")?,
            secrets: old.count("secrets")?,
            states: old.count("states")?,
            runs: old.count("runs")?,
        })
    }
}

/// Brings the vault at `path` to the present format, sealed to the recipients of `shown` (or to the same passphrase) under a
/// new data key. Gives its identity and where the old file is now. `now` in Unix seconds.
///
/// # Errors
/// [`Error::Replaced`] if the vault is no longer what was shown; a value that does not open. Nothing is changed then.
pub fn upgrade(
    path: &Path,
    key: &KeySource,
    shown: &Former,
    lock: &Lock,
    now: i64,
) -> Result<(VaultId, PathBuf)> {
    if Former::look(path, key)? != *shown {
        return Err(Error::Replaced { path: path.into() });
    }
    let real = path.canonicalize().map_err(Error::io(path))?;
    let old = Legacy::open(&real, key)?;
    let owners = if old.recipients == [PASSPHRASE] {
        key.owners(&[])?
    } else {
        Owners::Recipients(old.recipients.clone())
    };
    let own = match &owners {
        Owners::Recipients(_) => key.recipients()?,
        Owners::Passphrase(_) => vec![PASSPHRASE.into()],
    };
    let signer = Signer::generate()?;
    let id = signer.id();
    let new = NewVault::new(&owners, signer)?;
    let file = copy::aside(&real)?;
    new.build(&file, |books| {
        let mut operators = Operator::named(&new.recipients, &[], "not recorded", now);
        for operator in operators
            .iter_mut()
            .filter(|known| own.contains(&known.recipient))
        {
            operator.name = super::lock::operator();
        }
        books.set_operators(&operators)?;
        bring(&old, books)?;
        books.account_for_all()
    })
    .map_err(|error| copy::named(error, &file, path))?;
    drop(old);
    Vault::open(&file, key).map_err(|error| copy::named(error, &file, path))?;
    copy::sync(&file)?;
    let before = copy::set_aside(&real, lock, now)?.ok_or_else(|| Error::NotFound { path: path.into() })?;
    std::fs::rename(&file, &real).map_err(Error::io(path))?;
    copy::sync_dir(&real)?;
    Ok((id, before))
}

/// Every row, in the order in which they refer to each other.
fn bring(old: &Legacy, books: &mut Books<'_>) -> Result<()> {
    let pruned = if old.format < 2 {
        "NULL, NULL"
    } else {
        "pruned, last_filestamp"
    };
    same(
        old,
        books,
        &format!("SELECT id, created, note, inventory, {pruned} FROM generations"),
        "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    same(
        old,
        books,
        "SELECT id, name FROM hosts",
        "INSERT INTO hosts VALUES (?, ?)",
    )?;
    files(old, books)?;
    secrets(old, books)?;
    let no_sum = Tally::default().sum();
    old.each(
        "SELECT id, command, operator, generation, started, ended, outcome FROM runs",
        |row| {
            let mut values = all(old, row)?;
            values.extend([Value::Integer(0), Value::Blob(no_sum.clone())]);
            let insert = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            books.run(insert, rusqlite::params_from_iter(values)).map(drop)
        },
    )?;
    same(
        old,
        books,
        "SELECT run, host, generation, outcome, detail, at FROM results",
        "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    standing(old, books)?;
    if old.format < 2 {
        return Ok(());
    }
    old.each("SELECT name, sealed FROM states ORDER BY id", |row| {
        let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
        let (name, sealed) = read(row).map_err(|error| unreadable(old, error))?;
        let value = old.value(&sealed, &identity::state(&name), || format!("the state '{name}'"))?;
        books.keep_state(&name, Some(&value))
    })?;
    same(
        old,
        books,
        "SELECT host, at, level, good, detail FROM verified",
        "INSERT INTO verified VALUES (?, ?, ?, ?, ?)",
    )
}

/// Contents of files, and who holds them.
fn files(old: &Legacy, books: &mut Books<'_>) -> Result<()> {
    same(
        old,
        books,
        "SELECT id, digest, kind, owner, filestamp, size, not_after, spec FROM artifacts",
        "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    old.each(
        "SELECT id, digest, kind, owner, filestamp, size, not_after, spec, sealed FROM artifacts
             LEFT JOIN contents ON artifact = id",
        |row| {
            let read = |row: &Row<'_>| {
                Ok((
                    legacy::artifact(row)?,
                    row.get::<_, Option<Vec<u8>>>(8)?.unwrap_or_default(),
                ))
            };
            let (artifact, sealed) = read(row).map_err(|error| unreadable(old, error))?;
            let what = || format!("the content of file {}", artifact.id.0);
            let value = old.value(&sealed, &legacy::content(&artifact), what)?;
            let sealed = books
                .opened()
                .data_key
                .seal(value.expose(), &identity::content(&artifact))?;
            let insert = "INSERT INTO contents VALUES (?1, ?2)";
            books.run(insert, (artifact.id.0, sealed)).map(drop)
        },
    )?;
    old.each(
        "SELECT h.name, a.digest, p.name, p.links, p.since, p.until, p.seal, p.id
             FROM placements p LEFT JOIN hosts h ON h.id = p.host LEFT JOIN artifacts a ON a.id = p.artifact",
        |row| {
            let read = |row: &Row<'_>| {
                let seal: Option<Vec<u8>> = row.get(6)?;
                Ok((
                    legacy::placement(row)?,
                    seal.unwrap_or_default(),
                    row.get::<_, i64>(7)?,
                ))
            };
            let (identity, seal, id) = read(row).map_err(|error| unreadable(old, error))?;
            old.value(&seal, &identity, || format!("placement {id}"))
                .map(drop)
        },
    )?;
    same(
        old,
        books,
        "SELECT id, host, artifact, name, links, since, until FROM placements",
        "INSERT INTO placements VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
}

fn secrets(old: &Legacy, books: &mut Books<'_>) -> Result<()> {
    same(
        old,
        books,
        "SELECT id, kind, owner, filestamp, spec, since, until FROM secrets",
        "INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    old.each(
        "SELECT id, kind, owner, filestamp, spec, since, sealed FROM secrets LEFT JOIN secret_values ON secret = id",
        |row| {
            let read = |row: &Row<'_>| {
                let kind = SecretKind::from_code(row.get_ref(1)?.as_str()?).ok_or(FromSqlError::InvalidType)?;
                let (owner, spec): (String, String) = (row.get(2)?, row.get(4)?);
                let (stamp, since): (Option<u32>, u32) = (row.get(3)?, row.get(5)?);
                let sealed: Option<Vec<u8>> = row.get(6)?;
                let former = legacy::secret(kind, &owner, stamp.map(i64::from), &spec, since);
                let id: i64 = row.get(0)?;
                let stamp = stamp.map(crate::media::Filestamp);
                let present = identity::secret(id, kind, &owner, stamp, &spec, since);
                let what = format!("the {} of {owner}", kind.code());
                Ok((id, former, present, sealed.unwrap_or_default(), what))
            };
            let (id, former, present, sealed, what) = read(row).map_err(|error| unreadable(old, error))?;
            let value = old.value(&sealed, &former, || what)?;
            let sealed = books.opened().data_key.seal(value.expose(), &present)?;
            let insert = "INSERT INTO secret_values VALUES (?1, ?2)";
            books.run(insert, (id, sealed)).map(drop)
        },
    )
}

/// Where hosts stand and when they changed, which results of runs told before.
fn standing(old: &Legacy, books: &mut Books<'_>) -> Result<()> {
    old.each("SELECT host, generation, run, at FROM applied", |row| {
        let read = |row: &Row<'_>| {
            let applied = Applied {
                generation: GenerationId(row.get(1)?),
                run: RunId(row.get(2)?),
                at: row.get(3)?,
            };
            Ok((row.get::<_, i64>(0)?, applied))
        };
        let (host, applied) = read(row).map_err(|error| unreadable(old, error))?;
        books.stand(host, Some(applied), None)
    })?;
    let (applied, back) = (Outcome::Applied.word(), Outcome::RolledBack.word());
    let changes = format!(
        "SELECT host, generation, outcome, at FROM results WHERE outcome IN ('{applied}', '{back}') ORDER BY at"
    );
    old.each(&changes, |row| {
        let read = |row: &Row<'_>| {
            let generation: Option<u32> = row.get(1)?;
            let outcome: String = row.get(2)?;
            Ok((
                row.get::<_, i64>(0)?,
                generation.filter(|_| outcome == applied),
                row.get::<_, i64>(3)?,
            ))
        };
        let (host, brought, at) = read(row).map_err(|error| unreadable(old, error))?;
        books.stand(host, None, Some(at))?;
        brought.map_or(Ok(()), |generation| books.bring(host, generation, at))
    })
}

/// Rows that stay as they are.
fn same(old: &Legacy, books: &Books<'_>, select: &str, insert: &str) -> Result<()> {
    old.each(select, |row| {
        let values = all(old, row)?;
        books.run(insert, rusqlite::params_from_iter(values)).map(drop)
    })
}

fn all(old: &Legacy, row: &Row<'_>) -> Result<Vec<Value>> {
    (0..row.as_ref().column_count())
        .map(|column| row.get(column).map_err(|error| unreadable(old, error)))
        .collect()
}

fn unreadable(old: &Legacy, error: rusqlite::Error) -> Error {
    schema::sqlite(&old.path, error)
}
