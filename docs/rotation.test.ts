import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createAwsSecretsManagerProvider } from '../providers/aws-secrets-manager.ts';
import type { RotationHint } from '../providers/provider.ts';
import type { IamPolicy, IamStatement } from '../providers/emulator/iam-access.ts';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from '../providers/emulator/secrets-manager-emulator.ts';
import type { EventPattern } from '../providers/emulator/secrets-manager-events.ts';
import { blocks } from './examples.fixture.ts';

const page = readFileSync(new URL('rotation.md', import.meta.url), 'utf8');
/** The blocks to copy, for the account of the emulator. */
const files = new Map(
  blocks(page).flatMap(([info, text]) => {
    const [, name] = /^json (\S+\.json)$/.exec(info) ?? [];
    return name === undefined
      ? []
      : [[name, JSON.parse(text.replaceAll('111122223333', '000000000000')) as unknown]];
  }),
);
const policy = files.get('iam-policy.json') as { Statement: IamStatement[] };
const actions = policy.Statement.flatMap(({ Action }) => Action);
const kmsKey = String(policy.Statement.find(({ Action }) => Action === 'kms:Decrypt')?.Resource);
const queueArn = String(policy.Statement.find(({ Sid }) => Sid === 'HearOfRotations')?.Resource);

let emulator: SecretsManagerEmulator;
let stopping = new AbortController();

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
afterEach(() => stopping.abort());
afterAll(() => emulator.stop());

/** Uses all that the provider has, as a host with this policy. Gives what was refused, by action. */
async function useAll(
  rights: IamPolicy,
): Promise<{ asked: string[]; refused: string[]; hints: RotationHint[] }> {
  emulator.reset();
  stopping = new AbortController();
  const queue = emulator.createQueue(
    queueArn.split(':').at(-1) ?? '',
    files.get('rule.json') as EventPattern,
  );
  emulator.put('prod/desk', 'CANARY-desk');
  emulator.put('prod/database', 'CANARY-database', { kmsKey });
  const provider = createAwsSecretsManagerProvider(
    { region: emulator.region, endpoint: emulator.url, rotationQueueUrl: queue.url, maxAttempts: 1 },
    { credentials: emulator.createUser(rights) },
  );
  const { signal } = stopping;
  const ref = (id: string) => ({ provider: 'default', id });
  const hints: RotationHint[] = [];
  const watching = provider.watch?.((hint) => hints.push(hint), signal);
  await Promise.allSettled([
    provider.describe(ref('prod/desk'), signal),
    provider.fetch(ref('prod/desk'), {}, signal),
    provider.fetch(ref('prod/database'), {}, signal),
    provider.fetchMany?.([ref('prod/desk'), ref('prod/database')], signal),
    vi.waitFor(() => expect(emulator.calls['ReceiveMessage']).toBeGreaterThan(0), { timeout: 60_000 }),
  ]);
  await vi.waitFor(
    () => {
      const { requests } = emulator;
      const ended = requests.filter(({ operation }) => /Message/.test(operation));
      expect(
        ended.some(({ operation, outcome }) => operation === 'DeleteMessageBatch' || outcome !== 'ok'),
      ).toBe(true);
    },
    { timeout: 60_000 },
  );
  stopping.abort();
  await watching;
  await provider.close?.();
  const action = (operation: string, secret?: string, outcome?: string): string => {
    if (/Message/.test(operation)) return `sqs:${operation.replace('Batch', '')}`;
    return secret === 'prod/database' && outcome !== 'ok' ? 'kms:Decrypt' : `secretsmanager:${operation}`;
  };
  const told = emulator.requests.map(({ operation, secret, outcome }) => [
    action(operation, secret, outcome),
    outcome,
  ]);
  return {
    asked: [...new Set(told.map(([name = '']) => name))].toSorted(),
    refused: [
      ...new Set(told.flatMap(([name = '', outcome]) => (outcome === 'ok' ? [] : [name]))),
    ].toSorted(),
    hints,
  };
}

test('the policy to copy allows what the provider does, and lists nothing that it does not', async () => {
  const { asked, refused, hints } = await useAll(policy);
  expect(refused).toEqual([]);
  expect([...asked, 'kms:Decrypt'].toSorted()).toEqual(actions.toSorted());
  expect(hints.map(({ id }) => id).toSorted()).toEqual(['prod/database', 'prod/desk']);
});

test.each(actions)('without %s in it that is refused', async (action) => {
  const Statement = policy.Statement.map((each): IamStatement =>
    Object.assign({}, each, { Action: [each.Action].flat().filter((one) => one !== action) }),
  );
  const { refused } = await useAll({ Statement });
  expect(refused).toContain(action);
  // Without a right to read, the one to the key never comes into play.
  const also = action === 'secretsmanager:GetSecretValue' ? ['kms:Decrypt', action] : [action];
  expect(refused).toEqual(also);
});

test('the policy names secrets, not beginnings of names', async () => {
  emulator.reset();
  emulator.put('prod/desk-2', 'CANARY-other');
  const provider = createAwsSecretsManagerProvider(
    { region: emulator.region, endpoint: emulator.url, maxAttempts: 1 },
    { credentials: emulator.createUser(policy) },
  );
  const fetching = provider.fetch(
    { provider: 'default', id: 'prod/desk-2' },
    {},
    new AbortController().signal,
  );
  await expect(fetching.catch((error: unknown) => provider.classify(error))).resolves.toBe('denied');
  await provider.close?.();
});

test('the rule to copy lets through the secrets it is for', () => {
  emulator.reset();
  const queue = emulator.createQueue('rotations', files.get('rule.json') as EventPattern);
  emulator.put('test/desk', 'x');
  expect(queue.waiting).toBe(0);
  emulator.put('prod/desk', 'x');
  emulator.rotate('prod/desk');
  expect(queue.waiting).toBe(2);
});

test('the policies to copy fit each other', () => {
  expect(files.size).toBe(4);
  const [statement] = (files.get('queue-policy.json') as { Statement: { Resource: string }[] }).Statement;
  expect(statement?.Resource).toBe(queueArn);
  const url = /rotationQueueUrl: '([^']+)'/.exec(page)?.[1] ?? '';
  expect(new URL(url).pathname.replaceAll('111122223333', '000000000000')).toBe(
    `/${queueArn.split(':').slice(4).join('/')}`,
  );
  expect(() => emulator.createUser(files.get('agent-role-policy.json') as IamPolicy)).not.toThrow();
});
