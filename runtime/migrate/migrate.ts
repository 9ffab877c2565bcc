import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { property } from '../config/finding.ts';
import { HoldfastError } from '../base/errors.ts';
import { projectOf } from '../base/project.ts';
import { type Change, changedMeanwhile } from './change.ts';
import { choicesOf, type PlanFile } from './plan-file.ts';
import { dataFolder } from './data-folder.ts';
import { readOldFiles } from './old-files.ts';
import { type Plan, planMigration } from './plan.ts';
import { recordsIn, undo, type Undone, writeRecord } from './record.ts';
import { replaceFile, unwritable, type Way } from './replace-file.ts';
import { keepValues, withdrawValues } from './value-store.ts';

/** What a migration did, or would do. No value of a secret is in it. */
export interface Migration {
  readonly plan: Plan;
  /** In the order they were made. */
  readonly changes: readonly Change[];
  /** The ids of the values in the store, as `plan.kept` has them. */
  readonly ids: readonly string[];
  /** Files that no rename could replace: they were written in place. */
  readonly inPlace: readonly string[];
}

export interface MigrateOptions {
  /** Nothing is written. */
  readonly dryRun?: boolean;
  /** What a person decided about an earlier plan. Default: as proposed. */
  readonly plan?: PlanFile;
  /** Where `XDG_DATA_HOME` is looked up. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes an old config one of ours. First each credential goes to the store and is read back, and the old files to the record;
 * then come a backup without values, the files beside the config, and the config itself, each by a rename. What fails half-way is
 * undone: the files are as they were, and neither the store nor a record has a value of it. To run it again changes nothing more.
 */
export async function migrate(
  file: string,
  { dryRun, env, plan: decided }: MigrateOptions,
): Promise<Migration> {
  const data = dataFolder(env);
  const old = await readOldFiles(file);
  const plan = await planMigration(old, join(data, 'secrets'), decided && choicesOf(decided));
  const planned = plan.kept.map(({ id }) => id);
  if (dryRun === true) {
    return { plan, ids: planned, changes: await plan.changes(planned), inPlace: [] };
  }
  const created: string[] = [];
  let record: string | undefined;
  try {
    const ids = await keepValues(plan.root, plan.kept, (id) => created.push(id)).catch((error: unknown) => {
      throw property(error, 'syscall') === undefined ? error : unwritable(plan.root, error);
    });
    const changes = await plan.changes(ids);
    if (changes.length > 0) record = await writeRecord(recordsOf(data, plan.file), changes, new Date());
    const inPlace: string[] = [];
    for (const change of changes) if ((await make(change)) === 'in place') inPlace.push(change.file);
    return { plan, ids, changes, inPlace };
  } catch (error) {
    throw await withdrawn(error, { record, root: plan.root, created });
  }
}

interface Begun {
  readonly record: string | undefined;
  readonly root: string;
  readonly created: readonly string[];
}

/** Takes back what a migration that failed had done; resolves with the error to tell. */
async function withdrawn(error: unknown, { record, root, created }: Begun): Promise<unknown> {
  if (record !== undefined && !(await isUndone(record))) {
    const { message } = error as Error;
    const advice = 'what was written before could not be put back: fix that, and run holdfast migrate --undo';
    return Object.assign(new Error(`${message}; ${advice}`, { cause: error }), {
      code: property(error, 'code'),
    });
  }
  await withdrawValues(root, created);
  if (error instanceof Error && !(error instanceof HoldfastError)) error.message += '; nothing was changed';
  return error;
}

async function isUndone(record: string): Promise<boolean> {
  try {
    return (await undo(record)).edited.length === 0;
  } catch {
    return false;
  }
}

async function make({ file, before, after, mode }: Change): Promise<Way> {
  const now = await readFile(file).catch(() => undefined);
  const isAsBefore = before === undefined ? now === undefined : now?.equals(Buffer.from(before));
  if (isAsBefore !== true) throw changedMeanwhile(file);
  return replaceFile(file, Buffer.from(after), { mode, before: now });
}

/** Undoes the last migration of a config that changed something; undefined when there is none to undo. */
export async function undoMigration(
  file: string,
  { env }: MigrateOptions,
): Promise<(Undone & { readonly record: string }) | undefined> {
  for (const record of await recordsIn(recordsOf(dataFolder(env), file))) {
    const undone = await undo(record);
    // Of one that failed half-way all is as it was; the one before is meant then.
    if (undone.restored.length + undone.edited.length > 0) return { ...undone, record };
  }
  return undefined;
}

function recordsOf(data: string, file: string): string {
  return join(data, 'migrations', projectOf(dirname(file)), basename(file));
}
