-- What runs on the server, for format 1. Each function is one round trip and one transaction.

-- Tells one life of a server from another: a restart and a promotion both change it.
create function drctl.identity() returns text language plpgsql as $$
declare
  v_line text;
begin
  begin
    v_line := substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
  exception when others then
    v_line := '';                       -- a service without such a log
  end;
  return extract(epoch from pg_postmaster_start_time())::text || ' ' || v_line;
end $$;

-- Notes that the server works. On one that was restarted or promoted, those who were alive when it was last
-- seen get their time again: nobody could renew while it was away, and nobody could take over.
create function drctl.arrive(p_ttl interval) returns bigint language plpgsql as $$
declare
  v_identity text := drctl.identity();
  v_known text;
  v_generation bigint;
  v_seen timestamptz;
begin
  select identity, generation, seen_at into v_known, v_generation, v_seen from drctl.server;
  if v_known = v_identity then
    if v_seen < clock_timestamp() - interval '500 milliseconds' then
      update drctl.server set seen_at = clock_timestamp() where identity = v_identity;
    end if;
    return v_generation;
  end if;
  select identity, generation, seen_at into v_known, v_generation, v_seen from drctl.server for update;
  if v_known = v_identity then
    return v_generation;
  end if;
  update drctl.holder set expires_at = clock_timestamp() + p_ttl
    where expires_at > v_seen and expires_at < clock_timestamp() + p_ttl;
  update drctl.server set identity = v_identity, generation = v_generation + 1, seen_at = clock_timestamp();
  return v_generation + 1;
end $$;

-- Extends the life of a holder that is not dead yet. Not synced: a server that loses it has another identity.
create function drctl.renew(p_holder text, p_ttl interval) returns boolean language plpgsql as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  perform drctl.arrive(p_ttl);
  update drctl.holder set expires_at = clock_timestamp() + p_ttl
    where id = p_holder and expires_at > clock_timestamp();
  return found;
end $$;

-- Grants the lease of a run: to the same holder again, or from nobody, or from the dead. Serialized with all
-- appends, so that whoever is granted a lease sees everything its predecessor has appended.
create function drctl.grant_lease(
  p_run text, p_holder text, p_pid bigint, p_host text, p_name text, p_ttl interval,
  out token bigint, out verdict text, out held_by text, out held_pid bigint, out held_host text,
  out held_name text
) language plpgsql as $$
declare
  v_generation bigint;
  v_granted bigint;
  v_token bigint;
  v_holder text;
begin
  perform 1 from drctl.tip for update;
  v_generation := drctl.arrive(p_ttl);
  insert into drctl.holder as h (id, pid, host, name, expires_at)
    values (p_holder, p_pid, p_host, p_name, clock_timestamp() + p_ttl)
    on conflict (id) do update set expires_at = excluded.expires_at where h.expires_at > clock_timestamp();
  if not found then
    verdict := 'lapsed';
    return;
  end if;
  select l.token, l.holder, l.generation into v_token, v_holder, v_granted
    from drctl.lease l where l.run = p_run for update;
  if v_holder is not null and v_holder <> p_holder then
    select h.id, h.pid, h.host, h.name into held_by, held_pid, held_host, held_name
      from drctl.holder h where h.id = v_holder and h.expires_at > clock_timestamp();
    if found then
      verdict := 'held';
      return;
    end if;
  end if;
  -- Tokens that an earlier server granted may have died with it: they must never come again.
  token := coalesce(v_token, 0) + case when coalesce(v_granted, v_generation) = v_generation then 1 else 1000 end;
  insert into drctl.lease as l (run, token, holder, generation) values (p_run, token, p_holder, v_generation)
    on conflict (run) do update
    set token = excluded.token, holder = excluded.holder, generation = excluded.generation;
  perform pg_notify('drctl_journal', '');
  verdict := 'granted';
end $$;

-- Gives a lease back. Returns the token in force; null where there never was one.
create function drctl.release_lease(p_run text, p_token bigint) returns bigint language plpgsql as $$
declare
  v_token bigint;
begin
  select token into v_token from drctl.lease where run = p_run for update;
  if v_token = p_token then
    update drctl.lease set holder = null where run = p_run and holder is not null;
    perform pg_notify('drctl_journal', '');
  end if;
  return v_token;
end $$;

-- Puts a request into the inbox of a run. A known id, answered or not, changes nothing.
create function drctl.submit(p_run text, p_id text, p_body text, p_most bigint) returns text
language plpgsql as $$
begin
  -- One at a time for a run, or two could pass the limit together.
  perform 1 from drctl.stream where name = 'run/' || p_run for update;
  if not found then
    return 'unknown';
  end if;
  if exists (select 1 from drctl.inbox where run = p_run and id = p_id) then
    return 'done';
  end if;
  if (select count(*) from drctl.inbox where run = p_run and body is not null) >= p_most then
    return 'full';
  end if;
  insert into drctl.inbox(run, id, body) values (p_run, p_id, p_body);
  perform pg_notify('drctl_journal', p_run);
  return 'done';
end $$;

-- Appends a batch: all of it, or nothing. Answers `done`; `stale` where a head, a token or a lease is not what
-- the batch was made for; else a JSON object that says which run may not begin, and because of which.
--
-- s_*: streams, each once, with the head the batch was made for and the one it leads to
-- e_*: events, by stream; b_*: blobs; a_*: answered requests; c_*: checkpoints; p_runs: lines of the list of
-- runs; p_pruned: runs whose bodies are dropped
create function drctl.append(
  p_writer text, p_batch bigint, p_again boolean, p_holder text, p_simulated boolean,
  s_name text[], s_sequence bigint[], s_hash bytea[], s_token bigint[],
  s_last bigint[], s_chain bytea[], s_at bigint[], s_make boolean[],
  e_stream integer[], e_sequence bigint[], e_token bigint[], e_at bigint[], e_kind text[],
  e_version integer[], e_body text[], e_hash bytea[],
  b_digest text[], b_body bytea[],
  a_run text[], a_id text[],
  c_run text[], c_sequence bigint[], c_engine integer[], c_body bytea[],
  p_runs text, p_pruned text[]
) returns text language plpgsql as $$
declare
  v_position bigint;
  v_chain bytea;
  v_at bigint;
  v_refused text;
  v_ids bigint[];
  v_first bigint;
  v_hash bytea;
begin
  if p_simulated then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  select position, chain, recorded_at into strict v_position, v_chain, v_at from drctl.tip for update;
  if exists (select 1 from drctl.writer where id = p_writer and batch >= p_batch) then
    return 'done';
  end if;
  v_refused := drctl.refused(p_holder, s_name, s_sequence, s_hash, s_token, p_runs);
  if v_refused is null or p_again then
    -- A batch that was sent again and is refused must not be written by its first copy, should that still
    -- be under way.
    insert into drctl.writer as w (id, batch) values (p_writer, p_batch)
      on conflict (id) do update set batch = excluded.batch, seen_at = clock_timestamp();
  end if;
  if v_refused is not null then
    return v_refused;
  end if;

  update drctl.stream h set sequence = s.last, hash = s.chain, recorded_at = s.at
    from unnest(s_name, s_sequence, s_last, s_chain, s_at) as s(name, sequence, last, chain, at)
    where h.name = s.name and s.last > s.sequence;
  insert into drctl.stream(name, sequence, hash, recorded_at)
    select s.name, s.last, s.chain, s.at
    from unnest(s_name, s_sequence, s_last, s_chain, s_at, s_make)
      as s(name, sequence, last, chain, at, make)
    where s.sequence = 0 and s.make
    on conflict (name) do nothing;

  if cardinality(e_stream) > 0 then
    select array_agg(h.id order by s.n) into v_ids
      from unnest(s_name) with ordinality as s(name, n) left join drctl.stream h on h.name = s.name;
    v_first := v_position;
    insert into drctl.event(position, stream, sequence, token, recorded_at, kind, version, body, hash)
      select v_first + e.n, v_ids[e.stream], e.sequence, e.token, e.at, e.kind, e.version, e.body, e.hash
      from unnest(e_stream, e_sequence, e_token, e_at, e_kind, e_version, e_body, e_hash) with ordinality
        as e(stream, sequence, token, at, kind, version, body, hash, n);
    foreach v_hash in array e_hash loop
      v_position := v_position + 1;
      -- As `Tip::link` in record.rs, which every verification recomputes: number in eight bytes,
      -- little-endian.
      v_chain := sha256('drctl journal 1'::bytea || v_chain
        || set_byte(set_byte(set_byte(set_byte(set_byte(set_byte(set_byte(set_byte('\x0000000000000000'::bytea,
          0, (v_position & 255)::integer), 1, ((v_position >> 8) & 255)::integer),
          2, ((v_position >> 16) & 255)::integer), 3, ((v_position >> 24) & 255)::integer),
          4, ((v_position >> 32) & 255)::integer), 5, ((v_position >> 40) & 255)::integer),
          6, ((v_position >> 48) & 255)::integer), 7, ((v_position >> 56) & 255)::integer)
        || v_hash);
    end loop;
    select greatest(v_at, max(e.at)) into v_at from unnest(e_at) as e(at);
    update drctl.tip set position = v_position, chain = v_chain, recorded_at = v_at;
  end if;

  if cardinality(b_digest) > 0 then
    insert into drctl.blob(digest, body) select b.digest, b.body from unnest(b_digest, b_body) as b(digest, body)
      on conflict (digest) do nothing;
  end if;
  if cardinality(a_id) > 0 then
    update drctl.inbox i set body = null from unnest(a_run, a_id) as a(run, id)
      where i.run = a.run and i.id = a.id;
  end if;
  if cardinality(c_run) > 0 then
    insert into drctl.checkpoint as c (run, sequence, engine, body)
      select x.run, x.sequence, x.engine, x.body
      from unnest(c_run, c_sequence, c_engine, c_body) as x(run, sequence, engine, body)
      on conflict (run) do update
      set sequence = excluded.sequence, engine = excluded.engine, body = excluded.body;
  end if;
  if p_runs is not null then
    perform drctl.list_runs(p_runs);
  end if;
  if cardinality(p_pruned) > 0 then
    perform drctl.prune(p_pruned);
  end if;
  perform pg_notify('drctl_journal', '');
  return 'done';
end $$;

-- Why a batch may not be written; null where it may.
create function drctl.refused(
  p_holder text, s_name text[], s_sequence bigint[], s_hash bytea[], s_token bigint[], p_runs text
) returns text language plpgsql as $$
declare
  v_news text[];
  v_known boolean;
  v_other text;
  r record;
begin
  if exists (
    select 1 from unnest(s_name, s_sequence, s_hash, s_token) as s(name, sequence, hash, token)
      left join drctl.stream h on h.name = s.name
    where coalesce(h.sequence, 0) <> s.sequence or (s.sequence > 0 and h.hash <> s.hash)
  ) or exists (
    select 1 from unnest(s_name, s_token) as s(name, token)
      left join drctl.lease l on l.run = substr(s.name, 5)
      left join drctl.holder o on o.id = l.holder
    where s.token is not null and (l.token is distinct from s.token or l.holder is distinct from p_holder
      or not o.expires_at > clock_timestamp())
  ) then
    return 'stale';
  end if;
  if p_runs is null then
    return null;
  end if;
  select array_agg(x.id) into v_news from jsonb_to_recordset(p_runs::jsonb) as x(id text);
  for r in select * from jsonb_to_recordset(p_runs::jsonb)
    as x(id text, service text, drill boolean, locking boolean, key text)
  loop
    v_known := exists (select 1 from drctl.run where id = r.id);
    if r.key is not null and not v_known then
      select id into v_other from drctl.run where idempotency_key = r.key and id <> r.id;
      if found then
        return json_build_object('run', r.id, 'duplicate', v_other);
      end if;
    end if;
    if r.drill and not v_known then
      select id into v_other from drctl.run
        where service = r.service and not terminal and keeps_out and id <> all (v_news) order by id limit 1;
      if found then
        return json_build_object('run', r.id, 'service', r.service, 'locked', v_other);
      end if;
    end if;
    if r.locking then
      select id into v_other from drctl.run where service = r.service and locking and id <> all (v_news);
      if found then
        return json_build_object('run', r.id, 'service', r.service, 'locked', v_other);
      end if;
    end if;
  end loop;
  return null;
end $$;

-- Writes lines of the list of runs, in order: one that no longer holds the lock of a service comes before
-- one that takes it.
create function drctl.list_runs(p_runs text) returns void language plpgsql as $$
declare
  r record;
begin
  for r in select * from jsonb_to_recordset(p_runs::jsonb)
    as x(id text, service text, simulated boolean, terminal boolean, locking boolean, keeps_out boolean,
         created bigint, ended bigint, key text, parent text, summary text)
    order by locking
  loop
    insert into drctl.run(id, service, simulated, terminal, locking, keeps_out, created_at, ended_at,
      idempotency_key, parent, summary)
    values (r.id, r.service, r.simulated, r.terminal, r.locking, r.keeps_out, r.created, r.ended, r.key,
      r.parent, r.summary)
    on conflict (id) do update set service = excluded.service, simulated = excluded.simulated,
      terminal = excluded.terminal, locking = excluded.locking, keeps_out = excluded.keeps_out,
      created_at = excluded.created_at, ended_at = excluded.ended_at,
      idempotency_key = excluded.idempotency_key, parent = excluded.parent, summary = excluded.summary;
  end loop;
end $$;

-- Drops the bodies of runs; heads, hashes and the list stay.
create function drctl.prune(p_runs text[]) returns void language plpgsql as $$
begin
  update drctl.event e set body = '', pruned = sha256(convert_to(e.body, 'UTF8'))
    from drctl.stream s, unnest(p_runs) as r(id)
    where s.name = 'run/' || r.id and e.stream = s.id and e.pruned is null;
  delete from drctl.checkpoint where run = any (p_runs);
  delete from drctl.inbox where run = any (p_runs);
  update drctl.run set pruned = true where id = any (p_runs);
end $$;
