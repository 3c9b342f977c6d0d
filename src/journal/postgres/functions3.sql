-- What runs on the server, for format 3. The `append` of format 1 stays for processes that were started
-- before.

-- The chain over the whole journal, once some records have followed. As `Tip::link` in record.rs, which every
-- verification recomputes: number in eight bytes, little-endian.
create function drctl.chained(p_position bigint, p_chain bytea, p_hashes bytea[]) returns bytea
language plpgsql immutable as $$
declare
  v_hash bytea;
begin
  foreach v_hash in array p_hashes loop
    p_position := p_position + 1;
    p_chain := sha256('drctl journal 1'::bytea || p_chain
      || set_byte(set_byte(set_byte(set_byte(set_byte(set_byte(set_byte(set_byte('\x0000000000000000'::bytea,
        0, (p_position & 255)::integer), 1, ((p_position >> 8) & 255)::integer),
        2, ((p_position >> 16) & 255)::integer), 3, ((p_position >> 24) & 255)::integer),
        4, ((p_position >> 32) & 255)::integer), 5, ((p_position >> 40) & 255)::integer),
        6, ((p_position >> 48) & 255)::integer), 7, ((p_position >> 56) & 255)::integer)
      || v_hash);
  end loop;
  return p_chain;
end $$;

-- As in format 1, with as few statements as can be: each costs more than what it does. Answers `done`, with
-- where the journal ends where that is not what the process believed; `stale`; or a JSON object, as before.
-- A batch that was refused is burned: its number is never written, and is answered `stale` from then on.
--
-- p_at: latest time of its records; p_from, p_chain, p_was: where the process believes that the journal
-- ends, and p_end the chain over its records from there; p_more: there is something in b_*, a_*, c_*, p_runs
-- or p_pruned; p_fenced: a stream has a token
create function drctl.append(
  p_writer text, p_batch bigint, p_holder text, p_simulated boolean, p_at bigint,
  p_from bigint, p_chain bytea, p_was bigint, p_end bytea, p_more boolean, p_fenced boolean,
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
  v_count bigint := cardinality(e_stream);
  v_one boolean := v_count = 1 and cardinality(s_name) = 1 and not p_more;
  v_position bigint := p_from;
  v_chain bytea;
  v_at bigint;
  v_believed boolean;
  v_refused text;
  v_fits boolean := true;
  v_new boolean;
  v_id bigint;
  v_ids bigint[];
begin
  if p_simulated then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  -- Only another copy of this call waits here.
  update drctl.writer set batch = p_batch, burned = false, seen_at = clock_timestamp()
    where id = p_writer and batch < p_batch;
  if not found then
    insert into drctl.writer(id, batch) values (p_writer, p_batch) on conflict (id) do nothing;
    if not found then
      -- This commit waits for a synchronous standby as the first one should have: one that was cut off there
      -- has written, and nothing says that anybody else has it.
      update drctl.writer set seen_at = clock_timestamp() where id = p_writer;
      return (select case when burned and batch = p_batch then 'stale' else 'done' end
        from drctl.writer where id = p_writer);
    end if;
  end if;
  -- From here on nobody else appends before this is committed.
  update drctl.tip set position = p_from + v_count, chain = p_end, recorded_at = greatest(p_was, p_at)
    where one and position = p_from and chain = p_chain and recorded_at = p_was;
  v_believed := found;
  if not v_believed then
    select position, chain, recorded_at into strict v_position, v_chain, v_at from drctl.tip
      where one for update;
  end if;

  if v_one then
    if p_fenced then
      v_fits := exists (
        select from drctl.lease l join drctl.holder o on o.id = l.holder
        where l.run = substr(s_name[1], 5) and l.token = s_token[1] and l.holder = p_holder
          and o.expires_at > clock_timestamp());
    end if;
    if v_fits then
      update drctl.stream set sequence = s_last[1], hash = s_chain[1], recorded_at = s_at[1]
        where name = s_name[1] and sequence = s_sequence[1] and (sequence = 0 or hash = s_hash[1])
        returning id into v_id;
      if v_id is null and s_sequence[1] = 0 then
        insert into drctl.stream(name, sequence, hash, recorded_at)
          values (s_name[1], s_last[1], s_chain[1], s_at[1]) on conflict (name) do nothing
          returning id into v_id;
      end if;
      v_fits := v_id is not null;
    end if;
  else
    select
        coalesce(bool_and(coalesce(h.sequence, 0) = s.sequence and (s.sequence = 0 or h.hash = s.hash)), true),
        bool_or(h.id is null and s.make), array_agg(h.id order by s.n)
      into v_fits, v_new, v_ids
      from (select generate_subscripts(s_name, 1) as n, unnest(s_name) as name,
          unnest(s_sequence) as sequence, unnest(s_hash) as hash, unnest(s_make) as make) as s
        left join drctl.stream h on h.name = s.name;
    if v_fits and p_fenced then
      v_fits := exists (select from drctl.holder where id = p_holder and expires_at > clock_timestamp())
        and not exists (
          select from (select unnest(s_name) as name, unnest(s_token) as token) as s
            left join drctl.lease l on l.run = substr(s.name, 5) and l.token = s.token and l.holder = p_holder
          where s.token is not null and l.run is null);
    end if;
    if v_fits and p_runs is not null then
      v_refused := drctl.refused(p_holder, '{}', '{}', '{}', '{}', p_runs);
    end if;
  end if;
  if not v_fits or v_refused is not null then
    if v_believed then
      update drctl.tip set position = p_from, chain = p_chain, recorded_at = p_was where one;
    end if;
    -- Its first copy, should that still be under way, must not write it.
    update drctl.writer set burned = true where id = p_writer;
    return coalesce(v_refused, 'stale');
  end if;

  if v_one then
    insert into drctl.event(position, stream, sequence, token, recorded_at, kind, version, body, hash)
      values (v_position + 1, v_id, e_sequence[1], e_token[1], e_at[1], e_kind[1], e_version[1], e_body[1],
        e_hash[1]);
  else
    if v_new then
      insert into drctl.stream(name, sequence, hash, recorded_at)
        select s.name, s.last, s.chain, s.at
        from unnest(s_name, s_sequence, s_last, s_chain, s_at, s_make)
          as s(name, sequence, last, chain, at, make)
        where s.sequence = 0 and s.make
        on conflict (name) do nothing;
      select array_agg(h.id order by s.n) into v_ids
        from unnest(s_name) with ordinality as s(name, n) left join drctl.stream h on h.name = s.name;
    end if;
    if v_count > 0 then
      update drctl.stream h set sequence = s.last, hash = s.chain, recorded_at = s.at
        from (select unnest(v_ids) as id, unnest(s_last) as last, unnest(s_chain) as chain,
          unnest(s_at) as at) as s
        where h.id = s.id and h.sequence < s.last;
      insert into drctl.event(position, stream, sequence, token, recorded_at, kind, version, body, hash)
        select v_position + e.n, v_ids[e.stream], e.sequence, e.token, e.at, e.kind, e.version, e.body, e.hash
        from (select generate_subscripts(e_stream, 1) as n, unnest(e_stream) as stream,
            unnest(e_sequence) as sequence, unnest(e_token) as token, unnest(e_at) as at,
            unnest(e_kind) as kind, unnest(e_version) as version, unnest(e_body) as body,
            unnest(e_hash) as hash) as e;
    end if;
    if p_more then
      perform drctl.append_more(
        b_digest, b_body, a_run, a_id, c_run, c_sequence, c_engine, c_body, p_runs, p_pruned);
    end if;
  end if;
  if v_believed then
    return 'done' || pg_notify('drctl_journal', '')::text;
  end if;
  if v_count > 0 then
    v_chain := drctl.chained(v_position, v_chain, e_hash);
    v_position := v_position + v_count;
    v_at := greatest(v_at, p_at);
    update drctl.tip set position = v_position, chain = v_chain, recorded_at = v_at where one;
  end if;
  perform pg_notify('drctl_journal', '');
  return 'done ' || v_position || ' ' || encode(v_chain, 'hex') || ' ' || v_at;
end $$;

-- What few batches have: blobs, answered requests, checkpoints, lines of the list of runs, runs to prune.
create function drctl.append_more(
  b_digest text[], b_body bytea[],
  a_run text[], a_id text[],
  c_run text[], c_sequence bigint[], c_engine integer[], c_body bytea[],
  p_runs text, p_pruned text[]
) returns void language plpgsql as $$
begin
  if cardinality(b_digest) > 0 then
    insert into drctl.blob(digest, body)
      select b.digest, b.body from unnest(b_digest, b_body) as b(digest, body)
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
end $$;

-- As in format 2; and whoever is taken for dead stays so.
create or replace function drctl.grant_lease(
  p_run text, p_holder text, p_pid bigint, p_host text, p_name text, p_ttl interval,
  out token bigint, out verdict text, out held_by text, out held_pid bigint, out held_host text,
  out held_name text
) language plpgsql as $$
declare
  v_generation bigint;
  v_granted bigint;
  v_token bigint;
  v_holder text;
  v_position bigint;
  v_from text;
  v_expired timestamptz;
begin
  select position into strict v_position from drctl.tip where one for update;
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
    -- A renewal that is under way is waited for. The row becomes another one, though nothing in it changes:
    -- a renewal that waits for this grant then looks at its time again, and finds that it has passed.
    update drctl.holder h set expires_at = h.expires_at
      where h.id = v_holder and h.expires_at <= clock_timestamp()
      returning h.name, h.expires_at into v_from, v_expired;
    if not found then
      select h.id, h.pid, h.host, h.name into held_by, held_pid, held_host, held_name
        from drctl.holder h where h.id = v_holder;
      if found then
        -- Its row may be locked now: its renewals shall wait for no standby.
        perform set_config('synchronous_commit', 'off', true);
        verdict := 'held';
        return;
      end if;
    end if;
    v_from := coalesce(v_from, v_holder);
  end if;
  -- Tokens that an earlier server granted may have died with it: they must never come again.
  token := coalesce(v_token, 0) + case when coalesce(v_granted, v_generation) = v_generation then 1 else 1000 end;
  insert into drctl.lease as l (run, token, holder, generation) values (p_run, token, p_holder, v_generation)
    on conflict (run) do update
    set token = excluded.token, holder = excluded.holder, generation = excluded.generation;
  insert into drctl.granted(run, token, position, holder, name, pid, host, at, from_name, from_expired)
    values (p_run, token, v_position, p_holder, p_name, p_pid, p_host, clock_timestamp(), v_from,
      case when isfinite(v_expired) then v_expired end);
  perform pg_notify('drctl_journal', '');
  verdict := 'granted';
end $$;
