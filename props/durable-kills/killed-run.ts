import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { checkStoreFile } from '../../runtime/store/sqlite/store-care.ts';
import type { Deed } from '../agents/clerk.ts';
import type { Known } from './known.ts';
import type { Line } from './office-run.ts';

const program = fileURLToPath(new URL('./office-run.ts', import.meta.url));
/** Milliseconds within which what was kept is handled. */
const HANDLED_MS = 60_000;
/** Milliseconds within which the process does something. */
const SILENT_MS = 120_000;
/** Events under way. */
const IN_FLIGHT = 24;

export interface KilledRun {
  /** The Node that runs it. */
  readonly node: string;
  readonly path: string;
  readonly threads: number;
  /** Milliseconds from its start, or from the first event that it has acknowledged, however busy the machine is. */
  readonly killAfterMs: number;
  readonly from: 'start' | 'load';
  /** Milliseconds in which nobody is asked for, so that who wakes by itself does. */
  readonly asleepMs: number;
  readonly known: Known;
}

/** What went wrong, by kind. */
export interface Found {
  readonly lost: string[];
  readonly doubled: string[];
  readonly torn: string[];
}

/** Runs the office in a process of its own, and ends that with SIGKILL in the middle of its work. */
export async function runUntilKilled(run: KilledRun): Promise<Found> {
  const { node, path, threads, killAfterMs, from, asleepMs, known } = run;
  const args = [program, path, threads, IN_FLIGHT, asleepMs].map(String);
  const child = spawn(node, ['-C', 'holdfast-source', '--no-warnings', ...args]);
  const gone = once(child, 'exit');
  const found: Found = { lost: [], doubled: [], torn: [] };
  let [errors, isSending] = ['', false];
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  // What is told to a process that is killed meanwhile.
  child.stdin.on('error', () => {});
  const kill = (): void => void child.kill('SIGKILL');
  let silence = setTimeout(kill, SILENT_MS);
  let killing = from === 'start' ? setTimeout(kill, killAfterMs) : undefined;
  let begun: number | undefined;
  for await (const text of createInterface(child.stdout)) {
    clearTimeout(silence);
    silence = setTimeout(kill, SILENT_MS);
    const line = JSON.parse(text) as Line;
    known.note(line);
    if ('acknowledged' in line) killing ??= setTimeout(kill, killAfterMs);
    if (!('files' in line) || isSending) continue;
    begun ??= performance.now();
    const { missing, doubled, torn } = known.judge(line.files, deedsIn(`${path}.deeds`));
    found.doubled.push(...doubled);
    found.torn.push(...torn);
    const isLate = performance.now() - begun > HANDLED_MS;
    if (isLate) found.lost.push(...missing);
    if (isLate || doubled.length + torn.length > 0) {
      kill();
      break;
    }
    if (missing.length > 0) continue;
    isSending = true;
    child.stdin.write(`${JSON.stringify(known.plan())}\n`);
  }
  await gone;
  clearTimeout(silence);
  clearTimeout(killing);
  if (killing === undefined && errors === '') errors = 'it did nothing';
  if (errors !== '' || child.signalCode !== 'SIGKILL')
    found.torn.push(`the process ended by itself (${child.exitCode ?? child.signalCode}): ${errors}`);
  const { problems } = await checkStoreFile(path);
  found.torn.push(...problems, ...known.wrong.splice(0));
  return found;
}

/** What was done outside so far; the last line may have been cut. */
function deedsIn(path: string): Deed[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Deed);
}
