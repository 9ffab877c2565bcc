import { env } from 'node:process';
import { setImmediate as immediate } from 'node:timers/promises';
import fc from 'fast-check';
import { SimulatedClock } from 'xstate';
import { expect, test } from 'vitest';
import type { InjectRules, ResolvedGrant } from '../runtime/config/resolve.ts';
import { createSecretsBroker, type SecretsBroker } from '../runtime/secrets/broker.ts';
import { defineCapability } from '../runtime/secrets/capabilities/capability.ts';
import { createMemoryProvider } from '../runtime/secrets/fixtures/memory-provider.ts';

/** More of them: `HOLDFAST_RUNS=10000 npx vitest run props/secret-grants.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 100);
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

const name = fc.constantFrom('a', 'a', 'b', 'b', 'c', '__proto__', '');
const address = fc.constantFrom('x/1', 'x/1', 'x/1', 'x/2', 'constructor');
const mode = fc.constantFrom('capability', 'inject', 'reveal', 'handle');
const grant = fc.record({
  label: name,
  id: fc.constantFrom('s1', 's2', 'missing'),
  mode: fc.constantFrom('capability', 'inject', 'reveal'),
  capabilities: fc.uniqueArray(fc.constantFrom('sign', 'other', 'unregistered')),
});
const place = {
  address,
  incarnation: fc.constantFrom(1, 1, 1, 2),
  pool: fc.constantFrom('p', 'p', 'p', 'q'),
};
const opening = fc.record({
  do: fc.constant('open' as const),
  ...place,
  continues: fc.boolean(),
  grants: fc.array(grant, { maxLength: 5 }),
});
const step = fc.oneof(
  { weight: 3, arbitrary: opening },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('suspend' as const, 'close' as const), address }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('rotate' as const), id: fc.constantFrom('s1', 's2') }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('use' as const),
      ...place,
      mode,
      label: name,
      capability: fc.constantFrom('sign', 'sign', 'other', 'unregistered', 'toString'),
    }),
  },
);

/** Rules that let no request through, so that nothing is sent from here. */
const nowhere: InjectRules = {
  origins: [],
  methods: ['GET'],
  paths: ['/*'],
  header: 'Authorization',
  format: 'Bearer {}',
  privateAddresses: [],
  maxResponseBytes: 1,
  maxRequestBytes: 1_048_576,
  maxStreamBytes: 1_048_576,
  idleTimeoutMs: 30_000,
};

type Use = Extract<typeof step extends fc.Arbitrary<infer T> ? T : never, { do: 'use' }>;

const what = ({ mode, label, capability }: Use): string => `${mode} of ${label} with ${capability}`;

function asked(
  broker: SecretsBroker,
  { address, incarnation, pool, mode, label, capability }: Use,
): Promise<unknown> {
  const caller = { address, incarnation, pool };
  if (mode === 'capability') return broker.call(caller, capability, label, 'x');
  if (mode === 'handle') return broker.handle(caller, label);
  if (mode === 'reveal') return broker.reveal(caller, label);
  return broker.fetch(caller, label, { url: 'http://127.0.0.1:9/' });
}

/** All of an answer that an agent can see. */
function told(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'done',
    (error: Error) => `${error.name} ${error.message} ${error.stack} ${JSON.stringify(error)}`,
  );
}

/** The answer to a question in a host where nobody is granted anything and there is no secret. */
async function answerOfNobody(use: Use): Promise<string> {
  const broker = createSecretsBroker({ providers: [] });
  const answer = await told(asked(broker, use));
  await broker.stop();
  return answer;
}

/** Lets the fetches that holding a secret has begun come to their end: none of them is a question's doing. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await immediate();
}

/** What the host should know of an instance. */
interface Live {
  readonly incarnation: number;
  readonly pool: string;
  readonly grants: ReadonlyMap<string, ResolvedGrant>;
  live: boolean;
}

function isGranted(live: Live | undefined, { incarnation, pool, mode, label, capability }: Use): boolean {
  const grant = live?.grants.get(label);
  if (live?.live !== true || live.incarnation !== incarnation || live.pool !== pool) return false;
  if (grant === undefined || (mode !== 'handle' && grant.mode !== mode)) return false;
  return (
    mode !== 'capability' || (grant.capabilities.includes(capability) && /^(?:sign|other)$/.test(capability))
  );
}

test('nobody without a grant learns even that a secret exists', async () => {
  let refused = 0;
  let granted = 0;
  const property = fc.asyncProperty(
    opening,
    fc.array(step, { minLength: 10, maxLength: 40 }),
    async (first, steps) => {
      const provider = createMemoryProvider();
      for (const id of ['s1', 's2']) provider.set(id, 'v1', `the value of ${id}`);
      const broker = createSecretsBroker({
        providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: 300_000, options: {} }],
        customProviders: [provider],
        capabilities: [defineCapability('sign', () => 'signed'), defineCapability('other', () => 'other')],
        clock: new SimulatedClock(),
      });
      const model = new Map<string, Live>();
      const wrong: string[] = [];
      let versions = 1;

      const open = (one: typeof first): void => {
        const grants = one.grants.map((grant): ResolvedGrant => ({
          provider: 'default',
          inject: nowhere,
          ...grant,
        }));
        const live: Live = {
          ...one,
          live: true,
          grants: new Map(grants.map((grant) => [grant.label, grant])),
        };
        end(one.address);
        model.set(one.address, live);
        broker.open(one, grants, ({ label }) => {
          if (!live.live || !live.grants.has(label)) wrong.push(`${one.address} heard of ${label}`);
        });
      };
      const end = (address: string): void => {
        const live = model.get(address);
        if (live !== undefined) live.live = false;
      };
      const use = async (one: Use): Promise<void> => {
        const may = isGranted(model.get(one.address), one);
        const calls = provider.log.length;
        const answer = await told(asked(broker, one));
        if (may) {
          granted += 1;
          if (answer.includes('SECRET_NOT_GRANTED')) wrong.push(`${what(one)} was refused`);
          return;
        }
        refused += 1;
        if (answer !== (await answerOfNobody(one))) wrong.push(`${what(one)}: ${answer}`);
        if (!answer.includes('SECRET_NOT_GRANTED')) wrong.push(`${what(one)} was not refused`);
        if (provider.log.length !== calls) wrong.push(`${what(one)} called the provider`);
      };

      open(first);
      await idle();
      for (const one of steps) {
        if (one.do === 'open') open(one);
        else if (one.do === 'use') await use(one);
        else if (one.do === 'rotate') {
          provider.set(one.id, `v${++versions}`, `the value of ${one.id}, version ${versions}`);
          await broker.refresh('default', one.id).catch(() => {});
        } else {
          end(one.address);
          broker[one.do](one.address);
        }
        await idle();
      }
      await broker.stop();
      expect(wrong).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns, ...replay });
  // Both sides of it were tried.
  expect(refused).toBeGreaterThan(numRuns);
  expect(granted).toBeGreaterThan(numRuns / 20);
}, 120_000);
