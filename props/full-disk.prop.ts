import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test, vi } from 'vitest';
import type { Account, LoadReport } from './full-disk/run.ts';

/** A minute in the nightly run: `HOLDFAST_RUNS=1000 npx vitest run props/full-disk.prop.ts`. */
const fullMs = env['HOLDFAST_RUNS'] === undefined ? 1200 : 60_000;
/** Megabytes by which the process may grow while it tells nothing: what it holds is bounded, and garbage is not collected. */
const MOST_MB = 256;
const program = fileURLToPath(new URL('./full-disk/run.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-full-'));

vi.setConfig({ testTimeout: 2 * fullMs + 120_000 });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;
const disk = join(folder, 'disk');
const ways = [
  // A file system of its own, of which whoever may make one needs no rights.
  {
    how: 'filler',
    isThere: succeeds('unshare', '-rm', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', folder),
    before: ['unshare', '-rm'],
    mount: `mount -t tmpfs -o size=8m none '${disk}'`,
  },
  { how: 'limit', isThere: succeeds('prlimit', '--version'), before: [], mount: 'true' },
] as const;

test.each(ways.filter(({ isThere }) => isThere))(
  'while the disk is full ($how) nothing is acknowledged, memory is bounded, and afterwards it goes on by itself with everything',
  async ({ how, before, mount }) => {
    const node = `'${execPath}' -C holdfast-source --no-warnings '${program}' '${disk}/${how}.db'`;
    const script = `mkdir -p '${disk}' && ${mount} && { ${node} ${how} ${fullMs}; ${node} find; }`;
    const [command = '', ...args] = [...before, 'sh', '-c', script];
    const { stdout } = await promisify(execFile)(command, args, { encoding: 'utf8' });
    const [report, found] = stdout.split('\n', 2).map((line) => JSON.parse(line) as unknown) as [
      LoadReport,
      Account[],
    ];
    console.log(JSON.stringify(report));
    expect(report).toMatchObject({ state: 'failing', said: expect.stringContaining('store') as string });
    expect(report.phases[1]).toBe(0);
    expect(report.residentMb.most).toBeLessThan(report.residentMb.before + MOST_MB);
    for (const [i, { total, deposits }] of found.entries()) {
      expect(total).toBe(deposits);
      expect(total).toBeGreaterThanOrEqual(report.acknowledged[i] as number);
      expect(total).toBeGreaterThanOrEqual(report.enqueued[i] as number);
      expect(total).toBeLessThanOrEqual(report.asked[i] as number);
    }
  },
);
