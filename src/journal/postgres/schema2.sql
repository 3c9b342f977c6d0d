-- Format 2: who serves, and to whom each lease was granted.

-- Processes that serve. One is up until `expires_at`, by this server's clock.
create table drctl.node(
  id text primary key,                  -- unique per process start
  name text not null,
  address text not null,
  version text not null,
  pid bigint not null,
  host text not null,
  holder text not null,                 -- under which it holds leases now
  since timestamptz not null,
  seen_at timestamptz not null,
  expires_at timestamptz not null
) with (fillfactor = 50);

-- Each grant of a lease, for ever. All that was appended to the run before the grant lies at or before
-- `position`: the grant holds the row of the tip, as each append does.
create table drctl.granted(
  run text not null,
  token bigint not null,
  position bigint not null,
  holder text not null,
  name text not null,
  pid bigint not null,
  host text not null,
  at timestamptz not null,
  from_name text,                       -- who was lost; null where nobody held the lease
  from_expired timestamptz,             -- when its lease had passed; null where it had given up
  primary key (run, token)
);
create index granted_taken on drctl.granted(at) where from_name is not null;
create index lease_held on drctl.lease(holder) where holder is not null;
