import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { changedMeanwhile, type Change } from './change.ts';
import { replaceFile, type Way } from './replace-file.ts';

/** What a migration changed, so that it can be undone. */
export interface MigrationRecord {
  readonly version: 1;
  readonly at: string;
  readonly files: readonly RecordedFile[];
}

interface RecordedFile {
  readonly file: string;
  /** Its old content stands in this file of the record; absent for a file that the migration made. */
  readonly original?: string;
  readonly mode?: number;
  /** Of the text that the migration wrote. */
  readonly written: string;
}

const MANIFEST = 'manifest.json';
/** What a record is called until it is whole. */
const PARTIAL = '.partial';

/**
 * Keeps the old files in a folder of this user, byte for byte, and reads them back; resolves with the folder. What fails leaves
 * nothing behind.
 */
export async function writeRecord(folder: string, changes: readonly Change[], at: Date): Promise<string> {
  await removePartial(folder);
  const record = join(folder, at.toISOString().replaceAll(/[:.]/g, '-'));
  const partial = `${record}${PARTIAL}`;
  await mkdir(partial, { recursive: true, mode: 0o700 });
  try {
    const files: RecordedFile[] = [];
    for (const [n, change] of changes.entries()) files.push(await keep(partial, String(n), change));
    const manifest: MigrationRecord = { version: 1, at: at.toISOString(), files };
    await writeFileAtomic(join(partial, MANIFEST), JSON.stringify(manifest, undefined, 2), { mode: 0o600 });
    await rename(partial, record);
    return record;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** What a process that was ended left of its record: nothing was changed then. */
async function removePartial(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((one) => one.endsWith(PARTIAL))) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function keep(
  record: string,
  original: string,
  { file, before, after }: Change,
): Promise<RecordedFile> {
  const written = digest(Buffer.from(after));
  if (before === undefined) return { file, written };
  const content = await readFile(file);
  if (!content.equals(Buffer.from(before))) throw changedMeanwhile(file);
  const place = join(record, original);
  await writeFileAtomic(place, content, { mode: 0o600 });
  if (!content.equals(await readFile(place)))
    throw new Error(`${place} does not read back as it was written`);
  return { file, original, mode: (await stat(file)).mode & 0o777, written };
}

/** The records of a config, the newest first. */
export async function recordsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const whole: string[] = [];
  for (const name of names.toSorted((a, b) => (a < b ? 1 : -1))) {
    const record = join(folder, name);
    const isWhole = !name.endsWith(PARTIAL) && (await stat(join(record, MANIFEST)).catch(() => undefined));
    if (isWhole) whole.push(record);
  }
  return whole;
}

/** What has become of a file since. */
type State = 'as written' | 'as before' | 'edited';

/** What an undo did. */
export interface Undone {
  readonly restored: readonly string[];
  /** Those that were written in place. */
  readonly inPlace: readonly string[];
  /** What was edited since; then nothing was changed. */
  readonly edited: readonly string[];
}

/**
 * Puts the old files back, all or none: what was edited since stays, and is told. A file that is as it was before counts as put
 * back. The record is gone then, with the values in it.
 */
export async function undo(record: string): Promise<Undone> {
  const { files } = JSON.parse(await readFile(join(record, MANIFEST), 'utf8')) as MigrationRecord;
  const states = new Map<RecordedFile, State>();
  for (const one of files) states.set(one, await stateOf(record, one));
  const edited = files.filter((one) => states.get(one) === 'edited').map(({ file }) => file);
  if (edited.length > 0) return { restored: [], inPlace: [], edited };
  const changed = files.filter((one) => states.get(one) === 'as written');
  const inPlace: string[] = [];
  // The config came last, so it goes back first.
  for (const one of changed.toReversed()) {
    if ((await restore(record, one)) === 'in place') inPlace.push(one.file);
  }
  await rm(record, { recursive: true });
  return { restored: changed.map(({ file }) => file), inPlace, edited };
}

async function stateOf(record: string, { file, original, written }: RecordedFile): Promise<State> {
  const now = await readFile(file).catch(() => undefined);
  // What was removed since holds nothing that could be lost.
  if (now === undefined) return original === undefined ? 'as before' : 'as written';
  if (digest(now) === written) return 'as written';
  const before = original === undefined ? undefined : await readFile(join(record, original));
  return before?.equals(now) === true ? 'as before' : 'edited';
}

async function restore(record: string, { file, original, mode }: RecordedFile): Promise<Way> {
  if (original === undefined) {
    await rm(file, { force: true });
    return 'replaced';
  }
  const content = await readFile(join(record, original));
  const before = await readFile(file).catch(() => undefined);
  return replaceFile(file, content, { mode, before });
}

function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
