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
import { checksum } from './checksum.ts';
import type { MetaTable } from './meta-table.ts';
import { type Seals, sealsWith } from './seals.ts';
import { corrupt } from './sqlite-error.ts';

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
  const [newest] = wrappers as [Wrapper];
  const id = (kept.at(-1)?.id ?? 0) + 1;
  const bytes = randomBytes(32);
  const add = db.prepare(`insert into keys(${KEY_COLUMNS}) values(?, ?, ?, ?, ?)`);
  const wrapped = wrap(bytes, id, newest);
  add.run(id, newest.name, data.now, checksum([id, newest.name, data.now], wrapped), wrapped);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return sealsWith({
    current: { id, key },
    keyOf: keysOf(kept, wrappers, { id, key }),
    isAll: meta.get('sealed'),
  });
}

/** Wraps the keys of a store with the newest key that is given; the others are not needed from then on. */
export function rewrapKeys(
  db: DatabaseSync,
  data: KeysData,
): { readonly kept: readonly Wrapped[]; readonly wrappers: readonly Wrapper[] } {
  const kept = keptKeys(db);
  const wrappers = wrappersOf(data, kept);
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
  const keyOf = keysOf(kept, wrappersOf(data, kept));
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

/** @throws {HoldfastError} `OPTION_INVALID` when a key is missing that something needs */
function wrappersOf({ path, encryption }: KeysData, kept: readonly Wrapped[]): Wrapper[] {
  const given = encryption === undefined ? [] : [encryption.key, ...encryption.previous];
  const wrappers = given.map((key) => ({
    name: Buffer.from(hkdfSync('sha256', key, '', 'holdfast store: name', 6)).toString('hex'),
    key: createSecretKey(Buffer.from(hkdfSync('sha256', key, '', 'holdfast store: key', 32))),
  }));
  const known = new Set(wrappers.map(({ name }) => name));
  const missing = kept.filter(({ wrapper }) => !known.has(wrapper));
  const [first] = missing;
  if (first === undefined) return wrappers;
  const date = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const last = missing.at(-1) as Wrapped;
  throw new HoldfastError(
    'OPTION_INVALID',
    `encryption: the store ${path} needs the key ${first.wrapper} for what was written from ${date(first.at)} to ` +
      `${date(last.at)}, and ${wrappers.length === 0 ? 'no key is given' : `given are ${[...known].join(', ')}`}; give the ` +
      'version of the secret that was in use then as a previous key',
  );
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
