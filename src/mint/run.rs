//! Doing the work: everything is made on all cores, and written as it comes, in one transaction.

use super::error::{Error, Problem};
use super::make::{Material, Materials};
use super::work::{FileTask, SecretTask, Unit, Work};
use crate::digest::Digest;
use crate::secret::Secret;
use crate::vault::{Generation, GenerationId, NewArtifact, NewSecret, SecretId, SecretKind, Vault};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};

/// Who wants to hear how far the work is. Called from the thread that called [`mint`], but for
/// [`Progress::cancelled`].
pub trait Progress: Sync {
    /// So many steps there will be: one a group key, one a host.
    fn start(&self, steps: usize) {
        let _ = steps;
    }

    /// A step is done: everything of this host or group.
    fn done(&self, owner: &str) {
        let _ = owner;
    }

    /// Asked between steps, on any thread: stop and keep nothing.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Progress for () {}

/// Makes what is to be made and keeps it in the vault as one generation. `note` says why, `inventory` is the digest of
/// the inventory it was decided for. `None` if there was nothing to do.
///
/// # Errors
/// Nothing is kept in any case. [`Error::Impossible`] with what could not be made; the vault's errors, among them that somebody
/// else has written since the state was read.
pub fn mint(
    vault: &mut Vault,
    work: &Work,
    note: &str,
    inventory: Digest,
    progress: &dyn Progress,
) -> Result<Option<GenerationId>, Error> {
    let reason = Reason {
        note,
        inventory,
        state: None,
    };
    mint_with(vault, work, &reason, progress)
}

/// Why a generation is minted, and what the vault is to know with it.
pub struct Reason<'a> {
    /// In words.
    pub note: &'a str,
    /// The digest of the inventory it was decided for.
    pub inventory: Digest,
    /// A state of the vault, by its name, that is there with the generation or not at all.
    pub state: Option<(&'a str, &'a Secret)>,
}

/// The same, with a state of the vault.
///
/// # Errors
/// As [`mint`].
pub fn mint_with(
    vault: &mut Vault,
    work: &Work,
    reason: &Reason<'_>,
    progress: &dyn Progress,
) -> Result<Option<GenerationId>, Error> {
    if work.is_empty() {
        return Ok(None);
    }
    let kept = kept_values(vault, work)?;
    let mut generation = vault.begin(work.base, reason.note, reason.inventory, work.now)?;
    for &id in &work.ended {
        generation.end_placement(id)?;
    }
    for (kind, owner) in &work.ended_secrets {
        generation.end_secret(*kind, owner)?;
    }
    for (place, artifact) in &work.moved {
        generation.place(&place.host, *artifact, &place.name, &place.links)?;
    }
    progress.start(work.common.len() + work.units.len());
    let common = make_common(work, &kept, &mut generation, progress)?;
    let shared = Materials {
        common: &common,
        kept: &kept,
        own: HashMap::new(),
    };
    make_shared(work, shared, &mut generation)?;
    make_units(work, &common, &kept, &mut generation, progress)?;
    if let Some((name, value)) = reason.state {
        generation.state(name, value)?;
    }
    Ok(generation.commit()?)
}

type Named = HashMap<(SecretKind, Box<str>), Material>;

/// The values in the vault that files are made of, read before the transaction begins.
fn kept_values(vault: &Vault, work: &Work) -> Result<HashMap<SecretId, Secret>, Error> {
    let mut kept = HashMap::new();
    for id in work
        .files()
        .flat_map(|file| file.recipe.sources())
        .filter_map(|source| source.kept)
    {
        if let std::collections::hash_map::Entry::Vacant(vacant) = kept.entry(id) {
            vacant.insert(vault.secret(id)?);
        }
    }
    Ok(kept)
}

/// Group keys and symmetric keys: makes the new ones, and reads the kept group keys once for all hosts.
fn make_common(
    work: &Work,
    kept: &HashMap<SecretId, Secret>,
    generation: &mut Generation<'_>,
    progress: &dyn Progress,
) -> Result<Named, Error> {
    let made: Vec<_> = work
        .common
        .par_iter()
        .map(|task| (!progress.cancelled()).then(|| make_secret(task)))
        .collect();
    let mut common = HashMap::new();
    for (task, made) in work.common.iter().zip(made) {
        let material = made.ok_or(Error::Cancelled)??;
        keep_secret(generation, task, &material)?;
        common.insert((task.kind, task.owner.clone()), material);
        progress.done(&task.owner);
    }
    for source in work.files().flat_map(|file| file.recipe.sources()) {
        if let (SecretKind::Group(_), Some(bytes)) = (source.kind, source.kept.and_then(|id| kept.get(&id)))
            && let std::collections::hash_map::Entry::Vacant(vacant) =
                common.entry((source.kind, source.owner.clone()))
        {
            let material =
                Material::read(source.kind, bytes).map_err(|error| failed(&source.owner, &error))?;
            vacant.insert(material);
        }
    }
    Ok(common)
}

fn make_shared(
    work: &Work,
    mut materials: Materials<'_>,
    generation: &mut Generation<'_>,
) -> Result<(), Error> {
    for task in &work.shared {
        let made = materials
            .file(task)
            .map_err(|error| failed(&task.owner, &error))?;
        keep_file(generation, task, made)?;
    }
    Ok(())
}

/// Everything of one host, made.
struct Made<'w> {
    unit: &'w Unit,
    secrets: Vec<Secret>,
    files: Vec<(Secret, Option<i64>)>,
}

/// The hosts: made on all cores, written here as they come. What waits to be written is bounded.
fn make_units(
    work: &Work,
    common: &Named,
    kept: &HashMap<SecretId, Secret>,
    generation: &mut Generation<'_>,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let (send, receive) = sync_channel(64);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Ends early when something failed, or nobody listens any more.
            let _ = work.units.par_iter().try_for_each_with(send, |send, unit| {
                let made = if progress.cancelled() {
                    Err(Error::Cancelled)
                } else {
                    make_unit(unit, common, kept)
                };
                let well = made.is_ok();
                send.send(made).ok().filter(|()| well)
            });
        });
        write(receive, generation, progress)
    })
}

fn write(
    made: Receiver<Result<Made<'_>, Error>>,
    generation: &mut Generation<'_>,
    progress: &dyn Progress,
) -> Result<(), Error> {
    for made in made {
        let made = made?;
        for (task, value) in made.unit.secrets.iter().zip(&made.secrets) {
            keep_value(generation, task, value)?;
        }
        for (task, file) in made.unit.files.iter().zip(made.files) {
            keep_file(generation, task, file)?;
        }
        progress.done(&made.unit.host);
    }
    Ok(())
}

fn make_unit<'w>(
    unit: &'w Unit,
    common: &Named,
    kept: &HashMap<SecretId, Secret>,
) -> Result<Made<'w>, Error> {
    let mut own = HashMap::new();
    let mut secrets = Vec::with_capacity(unit.secrets.len());
    for task in &unit.secrets {
        let material = make_secret(task)?;
        secrets.push(material.to_bytes());
        own.insert((task.kind, task.owner.clone()), material);
    }
    let mut materials = Materials { common, kept, own };
    let files = unit
        .files
        .iter()
        .map(|task| materials.file(task))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&unit.host, &error))?;
    Ok(Made { unit, secrets, files })
}

fn make_secret(task: &SecretTask) -> Result<Material, Error> {
    Material::make(task).map_err(|error| failed(&task.owner, &error))
}

fn keep_secret(generation: &mut Generation<'_>, task: &SecretTask, material: &Material) -> Result<(), Error> {
    keep_value(generation, task, &material.to_bytes())
}

fn keep_value(generation: &mut Generation<'_>, task: &SecretTask, value: &Secret) -> Result<(), Error> {
    generation.secret(&NewSecret {
        kind: task.kind,
        owner: &task.owner,
        filestamp: task.filestamp,
        spec: &task.spec,
        value,
    })?;
    Ok(())
}

fn keep_file(
    generation: &mut Generation<'_>,
    task: &FileTask,
    (content, not_after): (Secret, Option<i64>),
) -> Result<(), Error> {
    let artifact = generation.artifact(&NewArtifact {
        kind: task.kind,
        owner: &task.owner,
        filestamp: task.stamp,
        not_after,
        spec: &task.spec,
        content: &content,
    })?;
    for place in &task.places {
        generation.place(&place.host, artifact, &place.name, &place.links)?;
    }
    Ok(())
}

fn failed(owner: &str, error: &crate::media::Error) -> Error {
    Error::Impossible(vec![Problem::media(owner, error)])
}
