//! The verbs, one file each: what is asked, what is done for it, what is said of it. None knows another one.

pub mod apply;
pub mod check;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod export;
pub mod graph;
pub mod history;
pub mod hostkeys;
pub mod init;
pub mod inspect;
pub mod keygen;
pub mod man;
pub mod plan;
pub mod renew;
pub mod revoke;
pub mod rollback;
pub mod rotate;
pub mod schema;
pub mod status;
pub mod trail;
pub mod unlock;
pub mod vault;
pub mod verify;
