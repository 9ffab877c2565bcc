import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const temporary = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-package-'));
/** An app that has the package installed. */
export const folder = join(temporary, 'installed');

/** What this test reads of a `package.json`. */
export interface Manifest {
  readonly version: string;
  readonly bin: { readonly holdfast: string };
  readonly exports: Readonly<Record<string, unknown>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export function readManifest(of: string): Manifest {
  return JSON.parse(readFileSync(join(of, 'package.json'), 'utf8')) as Manifest;
}

export function npm(cwd: string, ...command: string[]): string {
  return execFileSync('npm', command, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Runs Node in a folder, for a minute at most. */
export function nodeIn(cwd: string, ...command: string[]): string {
  return execFileSync(process.execPath, command, { cwd, encoding: 'utf8', timeout: 60_000 });
}

/** What `npm pack` tells of a tarball. */
export interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** Packs a folder into the temporary one. */
export function pack(of: string): Packed {
  const command = ['pack', '--json', '--ignore-scripts', '--pack-destination', temporary];
  const [packed] = JSON.parse(npm(of, ...command)) as Packed[];
  if (packed === undefined) throw new Error(`npm packed nothing of ${of}`);
  return packed;
}

/** Writes the app of this test: the files of `app/` and one that no agent may read. */
export function writeApp(app: string): void {
  cpSync(join(root, '.ci/package-test/app'), app, { recursive: true });
  writeFileSync(join(app, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  writeFileSync(join(app, 'secret.txt'), 'not for agents');
}
