import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createRuntime, type AgentRef } from 'holdfast';

/**
 * A process of its own with accounts in a store: `path, how, fullMs`. It makes deposits while its disk is full for that long,
 * `how`: by a file that fills the file system, or by a limit on the size of files; says what became of them, and kills itself.
 * With `find` it says what is there.
 */
const [path = '', how = 'find', fullMs = '0'] = process.argv.slice(2);
const ACCOUNTS = 8;
const IN_FLIGHT = 4;

export interface Account {
  readonly total: number;
  readonly deposits: number;
}

export interface LoadReport {
  /** The highest total that each account has told. */
  readonly acknowledged: readonly number[];
  readonly asked: readonly number[];
  /** Events that the store has acknowledged, of each account. */
  readonly enqueued: readonly number[];
  readonly codes: Readonly<Record<string, number>>;
  /** Acknowledged before, while the disk was full, and after. */
  readonly phases: readonly number[];
  /** What the runtime said of its store while the disk was full. */
  readonly said: string | undefined;
  readonly state: string | undefined;
  readonly healedMs: number;
  readonly residentMb: { readonly before: number; readonly most: number };
}

const module = new URL('../../runtime/fixtures/account.ts', import.meta.url);
const runtime = await createRuntime({
  store: { type: 'sqlite', path },
  agents: { account: { type: 'thread-bound', threadId: 'bank', maxThreads: 2, module } },
});
const refs: AgentRef[] = [];
for (let i = 0; i < ACCOUNTS; i++) refs.push(await runtime.getOrSpawn('account', `a${i}`));
if (how === 'find') {
  const found = await Promise.all(refs.map((ref) => ref.ask({ type: 'history' })));
  console.log(JSON.stringify(found satisfies unknown[]));
  await runtime.stop();
} else await load();

async function load(): Promise<void> {
  const zeros = (): number[] => Array.from({ length: ACCOUNTS }, () => 0);
  const [acknowledged, asked, enqueued] = [zeros(), zeros(), zeros()];
  const codes: Record<string, number> = {};
  const phases = [0, 0, 0];
  let phase = 0;
  const deposit = async (i: number): Promise<never> => {
    for (let n = 0; ; n++) {
      asked[i]! += 1;
      try {
        const ref = refs[i] as AgentRef;
        if (n % 4 === 3) {
          await ref.enqueue({ type: 'deposit', amount: 1 });
          enqueued[i]! += 1;
        } else {
          const total = (await ref.ask({ type: 'deposit', amount: 1 }, { timeoutMs: 1000 })) as number;
          acknowledged[i] = Math.max(acknowledged[i] as number, total);
        }
        phases[phase]! += 1;
      } catch (error) {
        const { code = 'none' } = error as { code?: string };
        codes[code] = (codes[code] ?? 0) + 1;
        // Whoever is refused at once is not to ask again at once.
        await pause(5);
      }
    }
  };
  const resident = (): number => process.memoryUsage.rss() / 2 ** 20;
  for (let i = 0; i < ACCOUNTS * IN_FLIGHT; i++) void deposit(i % ACCOUNTS);
  await until(() => (phases[0] as number) > 300);
  const before = resident();
  const free = fill();
  phase = 1;
  const end = performance.now() + Number(fullMs);
  await until(() => runtime.status().store?.state === 'failing');
  // What was acknowledged until then was written before.
  phases[1] = 0;
  let most = before;
  while (performance.now() < end) {
    most = Math.max(most, resident());
    await pause(20);
  }
  const { state, error } = runtime.status().store ?? {};
  const whileFull = phases[1];
  free();
  const freed = performance.now();
  phase = 2;
  await until(() => (phases[2] as number) > 300);
  const report: LoadReport = {
    acknowledged,
    asked,
    enqueued,
    codes,
    phases: [phases[0] as number, whileFull, phases[2] as number],
    said: error?.message,
    state,
    healedMs: performance.now() - freed,
    residentMb: { before, most },
  };
  writeSync(1, `${JSON.stringify(report)}\n`);
  process.kill(process.pid, 'SIGKILL');
}

/** Fills the disk; returns what makes room again. */
function fill(): () => void {
  if (how === 'limit') {
    // Less than a page of the log.
    const most = 4096;
    const limit = (soft: string): void =>
      void execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${soft}:unlimited`]);
    limit(String(most));
    return () => limit('unlimited');
  }
  const filler = join(dirname(path), 'filler');
  const file = openSync(filler, 'w');
  const piece = Buffer.alloc(4096);
  try {
    for (;;) writeSync(file, piece);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
  return () => rmSync(filler);
}

async function until(is: () => boolean): Promise<void> {
  const late = performance.now() + 60_000;
  while (!is()) {
    if (performance.now() > late) throw new Error(`it did not come about: ${String(is)}`);
    await pause(10);
  }
}
