import { mkdir, open, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkedWay, createFileProvider } from '../../providers/file.ts';
import type { SecretProvider } from '../../providers/provider.ts';

/** A credential on its way out of a config. */
export interface KeptValue {
  /** Where it is kept: a path below the root of the store, and the `id` of a ref to it. */
  readonly id: string;
  readonly value: string;
}

/** How long a read may take: the `file` provider gives up on its own before. */
const READ_MS = 10_000;

/**
 * Writes values to files of their own below `root`, 0600 in folders of 0700, and reads each back as the `file` provider will.
 * Never replaces a file: one that holds the same value is used as it is, and beside one that holds another the value goes to
 * `<id>-2`, `<id>-3` and so on. Resolves with the ids, in the order of the values, when all of them are safe; `onCreated` hears of
 * each file that it made.
 *
 * @throws {ProviderError} `invalid` for an id that leads out of `root`, before anything is written; `denied` when others than
 * this user can read what is there already
 */
export async function keepValues(
  root: string,
  values: readonly KeptValue[],
  onCreated: (id: string) => void = () => {},
): Promise<string[]> {
  for (const { id } of values) checkedWay(id);
  if (values.length === 0) return [];
  const provider = createFileProvider({ root, watch: false });
  await mkdir(root, { recursive: true, mode: 0o700 });
  const ids: string[] = [];
  for (const kept of values) ids.push(await keep(root, kept, { provider, onCreated }));
  return ids;
}

/** Removes values that were kept for nothing, and the folders that are empty then. */
export async function withdrawValues(root: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await rm(join(root, id), { force: true });
    const parts = id.split('/').slice(0, -1);
    // A folder with another value in it stays.
    for (; parts.length > 0; parts.pop()) await rmdir(join(root, ...parts)).catch(() => undefined);
  }
  if (ids.length > 0) await rmdir(root).catch(() => undefined);
}

interface Store {
  readonly provider: SecretProvider;
  readonly onCreated: (id: string) => void;
}

async function keep(root: string, { id, value }: KeptValue, { provider, onCreated }: Store): Promise<string> {
  for (let n = 1; ; n += 1) {
    const place = n === 1 ? id : `${id}-${n}`;
    await create(join(root, place), value, () => onCreated(place));
    const { bytes } = await provider.fetch({ provider: 'file', id: place }, {}, AbortSignal.timeout(READ_MS));
    const isKept = Buffer.from(value).equals(bytes);
    bytes.fill(0);
    if (isKept) return place;
  }
}

/** Does nothing when there is a file already. What is written has reached the disk. */
async function create(file: string, value: string, onCreated: () => void): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  });
  if (handle === undefined) return;
  onCreated();
  try {
    // A reader takes one newline at the end off.
    await handle.writeFile(value.endsWith('\n') ? `${value}\n` : value);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
