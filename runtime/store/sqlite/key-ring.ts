import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import { checksum } from '../columns/checksum.ts';
import { TABLES } from '../columns/forms.ts';
import type { MetaTable } from './meta-table.ts';
import { type Seals, sealsWith } from '../columns/seals.ts';
import { corrupt } from '../columns/corrupt.ts';

/** The keys that a store is given: they wrap its own keys, with which everything is encrypted. */
export interface WrappingKeys {
  readonly key: KeyObject;
  /** Keys that were `key` before. What they wrap is wrapped anew. */
  readonly previous: readonly KeyObject[];
}

export interface KeysData {
  readonly path: string;
  readonly now: number;
  readonly encryption?: WrappingKeys | undefined;
}

/** The most of a kind that an error names. */
const MOST_SAID = 3;
const KEY_COLUMNS = 'id, wrapper, at, crc, wrapped';

/** One of the store's own keys as it is kept. */
interface Wrapped {
  readonly id: number;
  /** The name of the key that wraps it. */
  readonly wrapper: string;
  readonly wrapped: Uint8Array;
  readonly at: number;
}

interface Wrapper {
  readonly name: string;
  readonly key: KeyObject;
}

/**
 * Opens the keys of a store within the transaction of its owner: wraps them with the newest key that is given, and makes one
 * for this opening. So a rotation of the given key rewrites no record, and nonces can be counted.
 */
export function openKeys(db: DatabaseSync, meta: MetaTable, data: KeysData): Seals {
  if (data.encryption === undefined) return readKeys(db, meta, data);
  if (isEmpty(db)) meta.set('sealed', true);
  const { kept, wrappers } = rewrapKeys(db, data);
  const current = addKey(db, (kept.at(-1)?.id ?? 0) + 1, data.now, wrappers);
  return sealsWith({ current, keyOf: keysOf(kept, wrappers, current), isAll: meta.get('sealed') });
}

/** Gives a store that is written anew its only key: `from` is the one that it takes the place of, whose keys it knows. */
export function onlyKey(db: DatabaseSync, from: DatabaseSync, data: KeysData): Seals {
  const kept = keptKeys(from);
  const current = addKey(db, (kept.at(-1)?.id ?? 0) + 1, data.now, wrappersOf(data));
  return sealsWith({ current, keyOf: () => undefined, isAll: true });
}

/** Makes a key for the store, and wraps it with the newest that is given. */
function addKey(
  db: DatabaseSync,
  id: number,
  at: number,
  wrappers: readonly Wrapper[],
): { readonly id: number; readonly key: KeyObject } {
  const [newest] = wrappers as [Wrapper];
  const bytes = randomBytes(32);
  const add = db.prepare(`insert into keys(${KEY_COLUMNS}) values(?, ?, ?, ?, ?)`);
  const wrapped = wrap(bytes, id, newest);
  add.run(id, newest.name, at, checksum([id, newest.name, at], wrapped), wrapped);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { id, key };
}

/** Wraps the keys of a store with the newest key that is given; the others are not needed from then on. */
export function rewrapKeys(
  db: DatabaseSync,
  data: KeysData,
): { readonly kept: readonly Wrapped[]; readonly wrappers: readonly Wrapper[] } {
  const kept = keptKeys(db);
  const wrappers = wrappersOf(data);
  checkWrappers(db, data.path, kept, wrappers);
  const [newest] = wrappers as [Wrapper];
  const rewrap = db.prepare('update keys set wrapper = ?, crc = ?, wrapped = ? where id = ?');
  for (const one of kept) {
    if (one.wrapper === newest.name) continue;
    const bytes = unwrap(one, wrappers);
    const { id, at } = one;
    const wrapped = wrap(bytes, id, newest);
    rewrap.run(newest.name, checksum([id, newest.name, at], wrapped), wrapped, id);
    bytes.fill(0);
  }
  return { kept, wrappers };
}

/** For whoever reads a store, and for a store that is not encrypted. */
export function readKeys(db: DatabaseSync, meta: MetaTable, data: KeysData): Seals {
  const kept = keptKeys(db);
  const wrappers = wrappersOf(data);
  checkWrappers(db, data.path, kept, wrappers);
  const keyOf = keysOf(kept, wrappers);
  return sealsWith({ current: undefined, keyOf, isAll: meta.get('sealed') });
}

/** The store's keys by their numbers, each unwrapped when it is needed. */
function keysOf(
  kept: readonly Wrapped[],
  wrappers: readonly Wrapper[],
  current?: { readonly id: number; readonly key: KeyObject },
): (id: number) => KeyObject | undefined {
  const open = new Map(current && [[current.id, current.key]]);
  const byId = new Map(kept.map((one) => [one.id, one]));
  return (id) => {
    const one = byId.get(id);
    if (!open.has(id) && one !== undefined) open.set(id, createSecretKey(unwrap(one, wrappers)));
    return open.get(id);
  };
}

/** Whether all that will be in the store is to come. */
function isEmpty(db: DatabaseSync): boolean {
  const any = ['records', 'ids', 'letters'].map((table) => `exists(select 1 from ${table})`).join(' or ');
  return db.prepare(`select ${any} found`).get()?.['found'] === 0;
}

/**
 * The store's keys, all of them whole: without one of them nothing is read of what it encrypted.
 *
 * @throws {HoldfastError} `STORE_CORRUPT`
 */
export function keptKeys(db: DatabaseSync): Wrapped[] {
  const kept = db.prepare(`select ${KEY_COLUMNS} from keys order by id`).all() as unknown as (Wrapped & {
    readonly crc: number;
  })[];
  for (const { id, wrapper, at, crc, wrapped } of kept)
    if (checksum([id, wrapper, at], wrapped) !== crc) throw corrupt(`the key ${id} of the store is damaged`);
  return kept;
}

/** The keys that are given, the newest first. */
function wrappersOf({ encryption }: KeysData): Wrapper[] {
  const given = encryption === undefined ? [] : [encryption.key, ...encryption.previous];
  return given.map((key) => ({
    name: Buffer.from(hkdfSync('sha256', key, '', 'holdfast store: name', 6)).toString('hex'),
    key: createSecretKey(Buffer.from(hkdfSync('sha256', key, '', 'holdfast store: key', 32))),
  }));
}

/** @throws {HoldfastError} `OPTION_INVALID` when a key is missing that wraps one of the store's */
function checkWrappers(
  db: DatabaseSync,
  path: string,
  kept: readonly Wrapped[],
  wrappers: readonly Wrapper[],
): void {
  const known = new Set(wrappers.map(({ name }) => name));
  const missing = kept.filter(({ wrapper }) => !known.has(wrapper));
  const [first, last] = [missing[0], missing.at(-1)];
  if (first === undefined || last === undefined) return;
  const needs = missing.map(({ id }) => needOf(db, id)).filter((need) => need !== '');
  const what = needs.length === 0 ? 'nothing yet' : needs.slice(0, MOST_SAID).join('; ');
  const date = (at: number): string => new Date(at).toISOString().slice(0, 10);
  throw new HoldfastError(
    'OPTION_INVALID',
    `encryption: the store ${path} needs the key ${first.wrapper} for what was written from ${date(first.at)} to ` +
      `${date(last.at)} (${what}), and ` +
      `${wrappers.length === 0 ? 'no key is given' : `given are ${[...known].join(', ')}`}; give the ` +
      'version of the secret that was in use then as a previous key',
  );
}

/** What was encrypted with one of the store's keys, in words. */
function needOf(db: DatabaseSync, id: number): string {
  const counts = TABLES.flatMap(({ table }) => {
    const found = db.prepare(`select count(*) count from ${table} not indexed where key_id = ?`).get(id);
    const count = found?.['count'] as number;
    return count === 0 ? [] : [`${count} ${table}`];
  });
  const records = db.prepare('select address from records where key_id = ? limit ?').all(id, MOST_SAID);
  const such = records.length === 0 ? '' : `, such as of ${records.map((one) => one['address']).join(', ')}`;
  return counts.length === 0 ? '' : counts.join(', ') + such;
}

function wrap(bytes: Uint8Array, id: number, { key }: Wrapper): Uint8Array {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(`key ${id}`));
  const text = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]);
}

function unwrap({ id, wrapper, wrapped }: Wrapped, wrappers: readonly Wrapper[]): Uint8Array {
  const key = wrappers.find(({ name }) => name === wrapper)?.key;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key as KeyObject, wrapped.subarray(0, 12), {
      authTagLength: 16,
    });
    cipher.setAAD(Buffer.from(`key ${id}`));
    cipher.setAuthTag(wrapped.subarray(12, 28));
    return Buffer.concat([cipher.update(wrapped.subarray(28)), cipher.final()]);
  } catch (error) {
    throw corrupt(`the key ${id} of the store is damaged`, error);
  }
}
