/** The form of the tables. A store of a later form is not opened. */
export const SCHEMA_VERSION = 2;

/** The name of a schema or of a table in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The tables. What may be large is `bytea`: its first byte says whether the rest is text, so that it may hold anything, in any
 * encoding. Names are in the order of code points. Space is left for records and for the owner, whose new versions then
 * stand on the page of the old ones and touch no index. There is an owner for each node; one that is `whole` is alone.
 *
 * A row that nobody took becomes a letter as it is, so that the server makes it by itself: then `n` and what is behind it are
 * set, and `meta` is not.
 */
export function tables(schema: string): string {
  const at = quoted(schema);
  return `
create table ${at}.owner(
  node smallint primary key default 0, whole boolean not null default true, store_id text not null, epoch bigint not null,
  opened_at double precision, holder text, unclean_ends json not null, restored boolean not null, next_row bigint not null,
  number bigint not null, last_group text, last_result json, waiting bigint not null)
  with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
${partitions(at)}
create table ${at}.records(
  address text collate "C" primary key, commit_id text not null, at double precision not null, incarnation bigint not null,
  seq bigint not null, due_at double precision, wakes smallint not null, quarantined smallint not null, version text,
  key_id integer, crc bigint not null, meta bytea not null, state bytea not null)
  with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
create index records_due on ${at}.records(due_at, address) where due_at is not null and quarantined = 0;
create index records_wake on ${at}.records(address) where wakes = 1 and quarantined = 0;
create table ${at}.rows(
  n bigint primary key, address text collate "C" not null, since double precision not null, due_at double precision not null,
  sender text, id text, caller text, attempts integer not null, key_id integer, crc bigint not null, event bytea not null)
  with (autovacuum_vacuum_scale_factor = 0.01);
create index rows_address on ${at}.rows(address, n);
create index rows_since on ${at}.rows(since, address) where due_at = 0;
create index rows_later on ${at}.rows(due_at, address) where due_at > 0;
create table ${at}.ids(
  address text collate "C" not null, caller text collate "C" not null, id text collate "C" not null, hash text not null,
  outcome text not null, until double precision not null, key_id integer, crc bigint not null, value bytea,
  primary key (address, caller, id)) with (autovacuum_vacuum_scale_factor = 0.01);
create index ids_until on ${at}.ids(until);
create table ${at}.steps(
  address text collate "C" not null, start text collate "C" not null, key text collate "C" not null, key_id integer,
  crc bigint not null, value bytea not null, primary key (address, start, key));
create table ${at}.letters(
  id text collate "C" primary key, at double precision not null, address text collate "C" not null, reason text not null,
  key_id integer, crc bigint not null, meta bytea, event bytea not null, n bigint, since double precision,
  due_at double precision, sender text, row_id text, caller text, attempts integer, activate boolean);
create index letters_age on ${at}.letters(at, id);
`;
}

/** Who has taken which part of the addresses, and how often it was taken. */
function partitions(at: string): string {
  return `create table ${at}.partitions(part smallint primary key, epoch bigint not null, node smallint not null);`;
}

/** What brings the tables of the form before this one to this form. */
export function migration(schema: string): string {
  const at = quoted(schema);
  return `
alter table ${at}.owner drop column one, add column node smallint primary key default 0,
  add column whole boolean not null default true;
${partitions(at)}
update ${at}.form set version = ${SCHEMA_VERSION};
`;
}
