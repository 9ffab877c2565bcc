import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { installLocked } from '../../scripts/install-locked.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A commit, checked out and built in a scratch folder, with the bench of the working tree in it. */
export interface BuiltTree {
  readonly folder: string;
  /** The commit, as its first ten digits. */
  readonly commit: string;
  readonly subject: string;
}

/** The tree stays for the next run; only its bench is copied again. */
export function treeOf(ref: string): BuiltTree {
  const [hash = '', subject = ''] = git(root, 'log', '-1', '--format=%H%n%s', ref, '--').split('\n');
  const commit = hash.slice(0, 10);
  const here = createHash('sha256').update(root).digest('hex').slice(0, 8);
  const folder = join(tmpdir(), `holdfast-bench-${here}`, commit);
  const built = join(folder, '.holdfast-built');
  if (!existsSync(built)) {
    console.log(`building ${commit} in ${folder}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    git(root, 'clone', '--quiet', '--shared', '--no-checkout', root, folder);
    git(folder, 'checkout', '--quiet', '--detach', hash);
    installed(folder);
    npm(folder, 'run', 'build', '--ignore-scripts');
    writeFileSync(built, '');
  }
  const bench = join(folder, 'bench');
  rmSync(bench, { recursive: true, force: true });
  const own = join(root, 'bench');
  cpSync(own, bench, { recursive: true, filter: (path) => !path.includes('node_modules') });
  const peers = join('peers', 'node_modules');
  if (existsSync(join(own, peers))) {
    installLocked(pathToFileURL(join(own, 'peers/')));
    symlinkSync(join(own, peers), join(bench, peers), 'junction');
  }
  // What the bench runs that a commit may not have yet. An older `.ci/install.mjs` would install the tree itself, through the link,
  // and take the packages of the working tree away.
  for (const path of ['scripts/install-locked.ts', '.ci/install.mjs'])
    cpSync(join(root, path), join(folder, path));
  return { folder, commit, subject };
}

/** Its dependencies are those of the working tree when all of them have the same versions; else they are installed. */
function installed(folder: string): void {
  const [ours, theirs] = [versionsIn(root), versionsIn(folder)];
  if (Object.entries(theirs).every(([path, version]) => ours[path] === version))
    symlinkSync(realpathSync(join(root, 'node_modules')), join(folder, 'node_modules'), 'junction');
  else npm(folder, 'ci', '--no-audit', '--no-fund');
}

function versionsIn(folder: string): Record<string, string | undefined> {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const { '': _, ...packages } = lock.packages;
  return Object.fromEntries(Object.entries(packages).map(([path, { version }]) => [path, version]));
}

function git(cwd: string, ...command: string[]): string {
  return execFileSync('git', command, { cwd, encoding: 'utf8' }).trim();
}

function npm(cwd: string, ...command: string[]): void {
  execFileSync('npm', command, {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
}
