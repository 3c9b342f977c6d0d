//! The built program is killed at random moments of real runs and resumed until it comes to an end, and meets
//! disks that take no more. Nothing here is simulated: every step is a program that writes what it does.

mod adopted;
mod disk;
mod effects;
mod fleet;
mod history;
mod killer;
mod moves;
mod random;
mod service;
