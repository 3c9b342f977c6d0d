-- Format 3: a batch that was refused is never taken for one that was written.

-- Whether the last batch of the process was refused; asked for again, it is refused again.
alter table drctl.writer add column burned boolean not null default false;
