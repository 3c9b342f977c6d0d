-- What runs on the server, for format 2.

-- Says that a process serves. Not synced: it says so again soon. Only one that begins is put into the list: a
-- word that was long on its way must not bring back a process that has ended. Returns whether it is there.
create function drctl.announce(
  p_begins boolean, p_id text, p_name text, p_address text, p_version text, p_pid bigint, p_host text,
  p_holder text, p_ttl interval
) returns boolean language plpgsql as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  update drctl.node
    set holder = p_holder, seen_at = clock_timestamp(), expires_at = clock_timestamp() + p_ttl where id = p_id;
  if found or not p_begins then
    return found;
  end if;
  -- One that is lost stays on the list for a day, or until it is back under its name.
  delete from drctl.node where expires_at < clock_timestamp() - interval '1 day'
    or (expires_at < clock_timestamp() and name = p_name and host = p_host);
  insert into drctl.node(id, name, address, version, pid, host, holder, since, seen_at, expires_at)
    values (p_id, p_name, p_address, p_version, p_pid, p_host, p_holder, clock_timestamp(),
      clock_timestamp(), clock_timestamp() + p_ttl)
    on conflict (id) do nothing;
  return true;
end $$;

-- As in format 1; and keeps to whom the lease was granted, and from whom it came.
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
  select position into strict v_position from drctl.tip for update;
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
    select h.name, h.expires_at into v_from, v_expired from drctl.holder h where h.id = v_holder;
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

-- As in format 1; grants go with what they allowed.
create or replace function drctl.prune(p_runs text[]) returns void language plpgsql as $$
begin
  update drctl.event e set body = '', pruned = sha256(convert_to(e.body, 'UTF8'))
    from drctl.stream s, unnest(p_runs) as r(id)
    where s.name = 'run/' || r.id and e.stream = s.id and e.pruned is null;
  delete from drctl.checkpoint where run = any (p_runs);
  delete from drctl.inbox where run = any (p_runs);
  delete from drctl.granted where run = any (p_runs);
  update drctl.run set pruned = true where id = any (p_runs);
end $$;
