//! `keytrail schema`: the JSON Schema of inventories.

use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;

pub fn run(out: &mut Ui) -> Result<Answer, Failure> {
    out.line(&format!("{:#}", crate::inventory::schema()))?;
    Ok(Answer::Yes)
}
