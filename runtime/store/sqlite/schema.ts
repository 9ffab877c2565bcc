/** Marks a file as a store: "hold". */
export const APPLICATION_ID = 0x68_6f_6c_64;

/** The form of the tables. A store of a later form is not opened. */
export const SCHEMA_VERSION = 1;

/** Larger than SQLite's 4096: fewer pages for states of a kilobyte and more. */
export const PAGE_BYTES = 8192;

/**
 * States, events and values are at the end of their tables, so that what is looked at first is on the first page. A state
 * in a table without rowids would be moved about with its key. Lookups by key alone need no second tree.
 */
export const SCHEMA = `
create table meta(key text primary key, value text not null, crc integer not null) without rowid;
create table keys(
  id integer primary key, wrapper text not null, at real not null, crc integer not null, wrapped blob not null);
create table records(
  id integer primary key, address text not null unique, commit_id text not null, at real not null, incarnation integer not null,
  seq integer not null, due_at real, wakes integer not null, quarantined integer not null, version text,
  texts integer not null, texts_commit text, key_id integer, crc integer not null, meta not null, state not null);
create table texts(
  id integer primary key, since text not null, key_id integer, crc integer not null, value not null);
create index records_due on records(due_at, address) where due_at is not null and quarantined = 0;
create index records_wake on records(address) where wakes = 1 and quarantined = 0;
create table rows(
  n integer primary key, address text not null, since real not null, due_at real not null, sender text, id text,
  caller text, attempts integer not null, key_id integer, crc integer not null, event not null);
create index rows_address on rows(address);
create index rows_since on rows(since, address) where due_at = 0;
create index rows_later on rows(due_at, address) where due_at > 0;
create table ids(
  address text not null, caller text not null, id text not null, hash text not null, outcome text not null,
  until real not null, key_id integer, crc integer not null, value, primary key(address, caller, id)) without rowid;
create index ids_until on ids(until);
create table steps(
  address text not null, start text not null, key text not null, key_id integer, crc integer not null,
  value not null, unique(address, start, key));
create table letters(
  id text not null unique, at real not null, address text not null, reason text not null, key_id integer,
  crc integer not null, meta not null, event not null);
create index letters_age on letters(at, id);
`;
