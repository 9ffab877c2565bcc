import { createHmac } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createRuntime, defineCapability } from 'holdfast';
import { createMemoryProvider } from 'holdfast/testing';
import type { CallEvent, CallKind } from '../agents/caller-event.ts';
import { coldSecrets } from './cold-secrets.ts';
import { startFleet } from '../lib/fleet.ts';
import { asking } from '../lib/load.ts';
import { rawPool } from '../raw/thread.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio, type Sample, type Variant } from '../lib/rounds.ts';

const RAW = 'raw postMessage per ask';
const ASK = 'holdfast ask, fromTransition';
const ECHO = 'a capability that does nothing';
const SIGN = 'sign.hmac from a thread, the key in the host';
/** Runs before the first that counts, of some thousand uses: as many again are needed until their code is warm. */
const WARM_UP = 8;
const data = JSON.stringify({ order: 'buy', symbol: 'BTC', quantity: 1, price: 64_000 });

/** What it costs an agent to have the host use a secret, and what it costs to bring secrets in. */
export async function secrets(results: Results, rounds: number): Promise<void> {
  await uses(results, rounds);
  await coldSecrets(results, rounds);
}

/** Calls of a capability whose secret is in the cache, beside asks, which go the other way. */
export async function uses(results: Results, rounds: number): Promise<void> {
  const provider = createMemoryProvider();
  const keys = { sign: 'a key that stays in the host', own: 'a key that is in the thread' };
  provider.set('key', keys.sign);
  const grant = { ref: 'key', mode: 'capability', required: true } as const;
  await using runtime = await createRuntime(
    {
      externalSecrets: { provider: 'memory' },
      // The loop that times the calls is beside the agents' folder.
      threads: { callers: { permissions: { read: [fileURLToPath(new URL('../', import.meta.url))] } } },
      agents: {
        caller: {
          type: 'thread-bound',
          threadId: 'callers',
          maxThreads: 1,
          module: new URL('../agents/caller.ts', import.meta.url),
          secrets: {
            echo: { ...grant, capabilities: ['echo'] },
            sign: { ...grant, capabilities: ['sign.hmac'] },
          },
        },
      },
    },
    { providers: [provider], capabilities: [defineCapability('echo', (_secret, args) => args)] },
  );
  const caller = await runtime.spawn('caller');
  const signatures: Record<CallKind, string> = { echo: '', sign: hmac(keys.sign), own: hmac(keys.own) };
  const calling =
    (kind: CallKind, inFlight: number): Variant =>
    async () => {
      const event: CallEvent = { type: 'run', kind, inFlight, data, signature: signatures[kind] };
      const sample = (await caller.ask(event, { timeoutMs: 60_000 })) as Sample | string;
      if (typeof sample === 'string') throw new Error(sample);
      return sample;
    };
  const fleet = await startFleet(1);
  const raw = rawPool(1);
  for (const inFlight of [1, 32, 1024]) {
    const rows = await measure(
      {
        [RAW]: () => asking(raw.ask, { inFlight }),
        [ASK]: () => asking(fleet.ask('transition'), { inFlight }),
        [ECHO]: calling('echo', inFlight),
        [SIGN]: calling('sign', inFlight),
        'the same HMAC in the thread, with the key': calling('own', inFlight),
      },
      rounds,
      { warmUp: WARM_UP },
    );
    const many = inFlight === 1 ? 'one at a time' : `${inFlight} in flight`;
    results.table({
      suite: 'secrets',
      title: `a cached secret, ${many}, one thread: up to 100,000 or 0.4 s a run, median of ${rounds}`,
      unit: 'asks/s',
      base: RAW,
      rows,
      alsoUnit: 'µs',
    });
    results.note(
      'secrets',
      `${many}: a use of a secret, to an ask`,
      ratio(rowNamed(rows, ECHO), rowNamed(rows, ASK)),
    );
    results.note(
      'secrets',
      `${many}: a raw round trip, to a use of a secret`,
      ratio(rowNamed(rows, RAW), rowNamed(rows, ECHO)),
    );
    results.note('secrets', `${many}: ask : sign.hmac`, ratio(rowNamed(rows, ASK), rowNamed(rows, SIGN)));
  }
  if (provider.log.length > 1) throw new Error(`the secret was not cached: ${provider.log.join(', ')}`);
  await Promise.all([fleet.stop(), raw.stop()]);
}

const hmac = (key: string): string => createHmac('sha256', key).update(data).digest('hex');
