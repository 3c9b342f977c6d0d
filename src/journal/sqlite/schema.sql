-- Format 1 of the journal. Never edited once released: a change is a new migration and a new format.

-- One row per stream. Row 0 is the journal as a whole: its sequence is the last position, its hash the chain
-- over all records.
create table stream(
  id integer primary key,
  name text not null unique,
  sequence integer not null,
  hash blob not null,
  recorded_at integer not null          -- milliseconds since 1970
) strict;

-- The truth. Position is contiguous over the whole journal, sequence within its stream.
create table event(
  position integer primary key,
  stream integer not null,
  sequence integer not null,
  token integer not null,
  recorded_at integer not null,
  kind text not null,
  version integer not null,
  body text not null,                   -- JSON; empty once pruned
  hash blob not null,
  pruned blob,                          -- SHA-256 of the body that was pruned
  unique(stream, sequence)
) strict;

-- The list of runs: a projection, written with the events it follows from.
create table run(
  id text primary key,
  service text not null,
  simulated integer not null,
  terminal integer not null,
  locking integer not null,             -- holds the lock of its service
  created_at integer not null,
  ended_at integer,
  idempotency_key text unique,
  pruned integer not null default 0,
  summary text not null                 -- JSON
) strict, without rowid;
create index run_created on run(created_at);
create unique index run_lock on run(service) where locking = 1;

create table checkpoint(
  run text primary key,
  sequence integer not null,
  engine integer not null,
  body blob not null
) strict;

create table blob(
  digest text primary key,              -- SHA-256 in hex
  body blob not null
) strict;

-- Answered requests keep their id, so that a late copy changes nothing.
create table inbox(
  number integer primary key,
  run text not null,
  id text not null,
  body text,                            -- JSON; null once answered
  unique(run, id)
) strict;

-- The token of a run never falls. A holder lives as long as the lock on its file.
create table lease(
  run text primary key,
  token integer not null,
  holder text
) strict, without rowid;

create table holder(
  id text primary key,
  pid integer not null,
  host text not null,
  name text not null
) strict, without rowid;

insert into stream(id, name, sequence, hash, recorded_at) values (0, '', 0, zeroblob(32), 0);
