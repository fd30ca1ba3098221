//! `keytrail schema`: the JSON Schema of inventories.

use super::out::Out;
use super::{Answer, Failure};

pub fn run(out: &mut Out) -> Result<Answer, Failure> {
    out.bytes(crate::inventory::schema().as_bytes())?;
    Ok(Answer::Yes)
}
