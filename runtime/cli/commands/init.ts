import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { packageSource, type PackageSource } from '../package-source.ts';
import { projectFiles, type TemplateName } from '../templates.ts';
import { paint, type Terminal } from '../terminal.ts';

export interface InitOptions {
  readonly json?: boolean;
  readonly template?: TemplateName;
}

/** Writes a project that runs: a config, an agent, and a program. Nothing that is there is touched. */
export async function init(
  named: string | undefined,
  { json, template }: InitOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, stderr, cwd } = terminal;
  const folder = resolve(cwd, named ?? '.');
  const source = packageSource();
  const files = projectFiles(packageName(folder), source.range, template);
  const there: string[] = [];
  for (const path of files.keys()) if (await exists(join(folder, path))) there.push(path);
  if (there.length > 0) {
    const message = `${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already; give another folder: holdfast init <folder>`;
    if (json === true) stdout.write(`${JSON.stringify({ ok: false, error: { message }, there })}\n`);
    else stderr.write(`${message}\n`);
    return EXIT.failed;
  }
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    // Not over what has come in the meantime.
    await writeFile(join(folder, path), text, { flag: 'wx' });
  }
  const next = nextSteps(relative(cwd, folder), source, folder);
  if (json === true)
    stdout.write(`${JSON.stringify({ ok: true, folder, files: [...files.keys()], next })}\n`);
  else stdout.write(written(relative(cwd, folder), [...files.keys()], next, terminal));
  return EXIT.ok;
}

/** What to type in a shell, from where the command ran. */
function nextSteps(near: string, source: PackageSource, folder: string): string[] {
  // npm takes a path for one of a repository unless it begins so.
  const pathTo = (path: string): string => relative(folder, path).replace(/^(?![./\\]|[a-z]:)/i, './');
  const before = source.before((path) => quoted(pathTo(path)));
  const steps = near === '' ? [] : [`cd ${quoted(near)}`];
  if (before !== undefined) steps.push(before);
  return [...steps, 'npm install', 'npm start'];
}

function quoted(path: string): string {
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function written(
  folder: string,
  files: readonly string[],
  next: readonly string[],
  terminal: Terminal,
): string {
  const colour = paint(terminal);
  const made = files.map((path) => `  ${colour('green', '+')} ${join(folder, path)}\n`).join('');
  return `${made}\nNext:\n${next.map((step) => `  ${colour('cyan', step)}\n`).join('')}`;
}

/** Of what npm allows in a name. */
function packageName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '');
  return name === '' ? 'agents' : name;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
