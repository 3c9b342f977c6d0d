//! The actions on capacity, functions, automation, alarms and replicated stores.

mod emulated;
mod functions;
mod instances;
mod readings;
