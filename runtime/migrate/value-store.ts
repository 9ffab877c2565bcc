import { mkdir, open } from 'node:fs/promises';
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
 * `<id>-2`, `<id>-3` and so on. Resolves with the ids, in the order of the values, when all of them are safe.
 *
 * @throws {ProviderError} `invalid` for an id that leads out of `root`, before anything is written; `denied` when others than
 * this user can read what is there already
 */
export async function keepValues(root: string, values: readonly KeptValue[]): Promise<string[]> {
  for (const { id } of values) checkedWay(id);
  const provider = createFileProvider({ root, watch: false });
  await mkdir(root, { recursive: true, mode: 0o700 });
  const ids: string[] = [];
  for (const kept of values) ids.push(await keep(root, kept, provider));
  return ids;
}

async function keep(root: string, { id, value }: KeptValue, provider: SecretProvider): Promise<string> {
  for (let n = 1; ; n += 1) {
    const place = n === 1 ? id : `${id}-${n}`;
    await create(join(root, place), value);
    const { bytes } = await provider.fetch({ provider: 'file', id: place }, {}, AbortSignal.timeout(READ_MS));
    const isKept = Buffer.from(value).equals(bytes);
    bytes.fill(0);
    if (isKept) return place;
  }
}

/** Does nothing when there is a file already. What is written has reached the disk. */
async function create(file: string, value: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    // A reader takes one newline at the end off.
    await handle.writeFile(value.endsWith('\n') ? `${value}\n` : value);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
