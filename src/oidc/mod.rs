//! Tokens of identity providers (OpenID Connect): read, proved with the provider's keys, and turned into who
//! somebody is. Fetches no key, and believes nothing that is not signed.

mod keys;
mod proof;
mod token;

pub use self::keys::Keys;
pub use self::token::{Error, Person, Presented, Rules, is_like, prove};
