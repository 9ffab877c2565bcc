import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BatchGetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createRuntime } from 'holdfast';
import { createAwsSecretsManagerProvider } from '../../providers/aws-secrets-manager.ts';
import type { SecretProvider } from '../../providers/provider.ts';
import { installPeers } from '../lib/peers.ts';
import type { Results } from '../lib/results.ts';
import { measure, stopwatch, type Variant } from '../lib/rounds.ts';
import { hasPeers } from '../lib/selection.ts';

const SECRETS = 200;
/** The service is the same for two builds: that of the working tree. */
const HERE = process.env['HOLDFAST_BENCH_HERE'] ?? fileURLToPath(new URL('../../', import.meta.url));
/** What the service takes in one call. */
const BATCH = 20;
const BY_HAND = 'BatchGetSecretValue by hand, all at once';

type Calls = Record<string, number>;
/** Reads all; what it gives ends what it has begun. */
type Read = () => Promise<() => unknown>;

/** From a config to a runtime that has its 200 secrets, beside other ways to read them from the same service. */
export async function coldSecrets(results: Results, rounds: number): Promise<void> {
  const ended = new AbortController();
  const service = fork(join(HERE, 'bench/raw/secrets-service.ts'), [String(SECRETS)]);
  service.once('exit', () => ended.abort(new Error('the service of secrets has ended')));
  const [{ url: endpoint, region, credentials }] = (await once(service, 'message', {
    signal: ended.signal,
  })) as [{ url: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } }];
  const names = Array.from({ length: SECRETS }, (_, n) => `secret-${n}`);
  const client = (): SecretsManagerClient => new SecretsManagerClient({ endpoint, region, credentials });

  const byHand: Read = async () => {
    const sdk = client();
    const batches = Array.from({ length: SECRETS / BATCH }, (_, n) =>
      names.slice(n * BATCH, (n + 1) * BATCH),
    );
    const answers = await Promise.all(
      batches.map((SecretIdList) => sdk.send(new BatchGetSecretValueCommand({ SecretIdList }))),
    );
    count(answers.flatMap(({ SecretValues = [] }) => SecretValues.map(({ SecretString }) => SecretString)));
    return () => sdk.destroy();
  };
  const peer: Read = async () => {
    installPeers();
    const { href } = new URL('../peers/powertools.mjs', import.meta.url);
    const powertools = (await import(href)) as {
      read(client: SecretsManagerClient, names: readonly string[]): Promise<(string | undefined)[]>;
    };
    const sdk = client();
    count(await powertools.read(sdk, names));
    return () => sdk.destroy();
  };
  const holdfast = async (change: (provider: SecretProvider) => SecretProvider): ReturnType<Read> => {
    const aws = createAwsSecretsManagerProvider({ endpoint, region }, { credentials });
    const secrets = names.map((ref) => [
      ref,
      { ref, mode: 'capability', capabilities: ['sign.hmac'], required: true } as const,
    ]);
    const module = new URL('../agents/caller.ts', import.meta.url);
    const runtime = await createRuntime(
      {
        externalSecrets: { provider: 'bench' },
        agents: {
          caller: {
            type: 'thread-bound',
            threadId: 'callers',
            maxThreads: 1,
            module,
            secrets: Object.fromEntries(secrets),
          },
        },
      },
      { providers: [change({ ...aws, name: 'bench' })] },
    );
    const { length } = runtime.status().secrets.filter(({ state }) => state === 'fresh');
    if (length !== SECRETS) throw new Error(`${length} of ${SECRETS} secrets are fresh`);
    return () => runtime.stop();
  };

  const variants: Readonly<Record<string, readonly [read: Read, expected: Calls]>> = {
    [BY_HAND]: [byHand, { BatchGetSecretValue: SECRETS / BATCH }],
    'holdfast, createRuntime, batched': [
      () => holdfast((provider) => provider),
      { BatchGetSecretValue: SECRETS / BATCH },
    ],
    'holdfast, createRuntime, one by one': [() => holdfast(withoutBatches), { GetSecretValue: SECRETS }],
    ...(hasPeers() && { 'Powertools, one get each': [peer, { GetSecretValue: SECRETS }] as const }),
  };
  const rows = await measure(
    Object.fromEntries(Object.entries(variants).map(([name, of]) => [name, timed(...of)])),
    rounds,
  );
  results.table({
    suite: 'secrets',
    title: `${SECRETS} secrets that nobody has read yet, from a service on loopback, median of ${rounds}`,
    unit: 'ms',
    base: BY_HAND,
    rows,
  });
  const gone = once(service, 'exit');
  service.disconnect();
  await gone;

  function timed(read: Read, expected: Calls): Variant {
    return async () => {
      const before = await made();
      const measured = stopwatch();
      const end = await read();
      const { value, cpu } = measured(1);
      await end();
      const after = await made();
      for (const operation of ['BatchGetSecretValue', 'GetSecretValue']) {
        const calls = (after[operation] ?? 0) - (before[operation] ?? 0);
        if (calls !== (expected[operation] ?? 0)) throw new Error(`${calls} calls of ${operation}`);
      }
      return { value: 1000 / value, cpu };
    };
  }

  async function made(): Promise<Calls> {
    service.send('calls');
    const [calls] = (await once(service, 'message')) as [Calls];
    return calls;
  }
}

/** The same provider as one that has no batches. */
function withoutBatches(provider: SecretProvider): SecretProvider {
  return {
    name: provider.name,
    capabilities: { versions: true },
    describe: (ref, signal) => provider.describe(ref, signal),
    fetch: (ref, selector, signal) => provider.fetch(ref, selector, signal),
    classify: (error) => provider.classify(error),
    close: () => provider.close?.(),
  };
}

function count(values: readonly unknown[]): void {
  const { length } = values.filter((value) => typeof value === 'string' && value.length === 32);
  if (length !== SECRETS) throw new Error(`${length} of ${SECRETS} secrets were read`);
}
