import { realpath } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { plainText, printPath } from '../../config/received.ts';
import { migrate as run, type Migration, undoMigration } from '../../migrate/migrate.ts';
import { configFile, DEFAULT_CONFIG, noConfig } from '../config-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, type Terminal } from '../terminal.ts';

export interface MigrateOptions {
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly json?: boolean;
}

/** Makes an old config one of Holdfast's, or undoes that. What is wrong with it is thrown before anything changes. */
export async function migrate(
  named: string | undefined,
  options: MigrateOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, env } = terminal;
  // What is to be put back may be gone.
  if (options.undo === true) return undo(resolve(terminal.cwd, named ?? DEFAULT_CONFIG), options, terminal);
  const file = configFile(named, terminal);
  if (file === undefined) throw noConfig();
  const migration = await run(file, { env, dryRun: options.dryRun === true });
  stdout.write(
    options.json === true
      ? `${JSON.stringify(report(migration, options), undefined, 2)}\n`
      : migrationText(migration, options, terminal),
  );
  return EXIT.ok;
}

async function undo(
  file: string,
  { json }: MigrateOptions,
  { stdout, cwd, env }: Terminal,
): Promise<ExitCode> {
  const undone = await undoMigration(await realpath(file).catch(() => file), { env });
  const shown = (one: string): string => relative(cwd, one) || one;
  const { restored = [], edited = [], inPlace = [], record } = undone ?? {};
  if (json === true)
    stdout.write(`${JSON.stringify({ ok: edited.length === 0, restored, edited, inPlace, record })}\n`);
  else if (undone === undefined) stdout.write('There is no migration to undo.\n');
  else if (edited.length > 0) {
    const files = edited.map(shown).join(', ');
    stdout.write(`Nothing was changed: ${files} was edited since. The old files are in ${record}\n`);
  } else {
    const files = restored.map(shown).join(', ');
    stdout.write(`Restored: ${files}. The values stay in the store.\n${inPlaceText(inPlace.map(shown))}`);
  }
  return edited.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Of files that a container has mounted by themselves, and the like. */
function inPlaceText(files: readonly string[]): string {
  if (files.length === 0) return '';
  return `Written in place, since the file cannot be replaced by a rename: ${files.join(', ')}\n`;
}

function report({ plan, changes, ids, inPlace }: Migration, { dryRun }: MigrateOptions): object {
  return {
    mode: dryRun === true ? 'dry-run' : 'write',
    changed: changes.length > 0,
    changedFiles: changes.map(({ file }) => file),
    writtenInPlace: inPlace,
    store: plan.root,
    agents: plan.agents,
    credentials: plan.kept.map(({ places }, n) => ({
      ref: { provider: plan.alias, id: ids[n] },
      places: places.map(({ file, line, path }) => ({ file, line, path })),
    })),
    grants: plan.proposals.map(({ secret, label, agents, grant }) => ({
      ref: secret.ref,
      label,
      agents,
      grant,
    })),
    removed: plan.removed.map(({ path }) => printPath(path)),
    todos: plan.todos,
    ...(dryRun === true && { config: configIn(plan, changes) }),
  };
}

/** The new config, if it is another. */
function configIn({ file }: Migration['plan'], changes: Migration['changes']): string | undefined {
  return changes.find((change) => change.file === file)?.after;
}

/** For people. */
export function migrationText(
  { plan, changes, ids, inPlace }: Migration,
  { dryRun }: MigrateOptions,
  terminal: Terminal,
): string {
  const colour = paint(terminal);
  const shown = (file: string): string => relative(terminal.cwd, file) || file;
  const list = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n${colour('bold', title)}\n${lines.map((line) => `  ${line}\n`).join('')}`;
  const todos = list('To do', plan.todos);
  if (changes.length === 0) return `${shown(plan.file)}: nothing to change\n${todos}`;
  const isDry = dryRun === true;
  const kept = plan.kept.flatMap(({ places }, n) =>
    places.map(({ file, line, path }) => `${shown(file)}:${line} ${path} -> ${plan.alias}:${ids[n]}`),
  );
  const grants = plan.proposals.flatMap(({ agents, label, grant, secret }) =>
    grant === undefined
      ? []
      : agents.map(
          (agent) =>
            `${plainText(agent)}: ${label} = ${secret.ref.provider}:${secret.ref.id} for ${grant.hosts?.join(', ')}`,
        ),
  );
  const written = changes.map(
    ({ file, before }) => `${colour('green', before === undefined ? '+' : '~')} ${shown(file)}`,
  );
  return [
    isDry ? 'Nothing was written. This is what would be done.\n' : '',
    list(
      'Agents',
      plan.agents.map(({ name, threadId, isNew }) => {
        const thread = threadId === name ? '' : `, ${plainText(threadId)}`;
        return `${plainText(name)}: ${isNew ? `a thread of its own${thread}` : 'as it was'}`;
      }),
    ),
    list(`Credentials, kept in ${plan.root}`, kept),
    list('Grants', grants),
    list(
      'No longer in the config',
      plan.removed.map(({ place, path }) => `${place} ${printPath(path)}`),
    ),
    todos,
    list(isDry ? 'Files that would change' : 'Files', written),
    inPlaceText(inPlace.map(shown)),
    isDry ? `\n${configIn(plan, changes) ?? ''}` : `\nUndo: holdfast migrate --undo ${shown(plan.file)}\n`,
  ]
    .join('')
    .trimStart();
}
