//! `keytrail schema`: the JSON Schema of inventories.

use super::out::Out;
use super::{Answer, Failure};

pub fn run(out: &mut Out) -> Result<Answer, Failure> {
    out.line(&format!("{:#}", crate::inventory::schema()))?;
    Ok(Answer::Yes)
}
