import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toPromise } from 'xstate';
import { agent, createRuntime, type AuditRecord, type Grant } from 'holdfast';
import type sdkUser from '../fixtures/sdk-user.ts';
import type { Asked, Heard } from '../fixtures/sdk-user.ts';
import { fixture } from '../fixtures/start.ts';
import { startModelServer, type ModelServer } from '../../examples/support-desk/model-server.ts';
import { startMcpService } from './fixtures/mcp-service.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';

const [first, second] = ['CANARY-1-sk-proj/Zx9+Qw=key', 'CANARY-2-sk-proj/Ab3+Cd=key'];
const models = [
  'ai, openai-compatible',
  'ai, anthropic',
  'openai',
  'openai, responses',
  'anthropic',
  'langchain',
];
const all = [...models, 'mcp'];

let plain: ModelServer;
let gzip: ModelServer;
let br: ModelServer;
let mcp: Awaited<ReturnType<typeof startMcpService>>;
let runtime: Awaited<ReturnType<typeof begin>>;
const provider = createMemoryProvider();
const audited: AuditRecord[] = [];
const told: unknown[] = [];

async function begin() {
  provider.set('prod/key', 'v1', first);
  const key: Grant = {
    ref: 'prod/key',
    mode: 'inject',
    hosts: [plain.url, gzip.url, br.url, mcp.url],
    methods: ['GET', 'POST', 'DELETE'],
    format: 'Bearer {}',
  };
  return await createRuntime(
    {
      externalSecrets: { provider: 'memory' },
      agents: { user: agent<typeof sdkUser>(fixture('sdk-user', { secrets: { key } })) },
    },
    {
      providers: [provider],
      audit: (record: AuditRecord) => void audited.push(record),
      logger: {
        debug() {},
        info() {},
        warn: (...line) => told.push(line),
        error: (...line) => told.push(line),
      },
    },
  );
}

beforeAll(async () => {
  const keys = [first];
  [plain, gzip, br] = await Promise.all([
    startModelServer({ keys }),
    startModelServer({ keys, encoding: 'gzip' }),
    startModelServer({ keys, encoding: 'br' }),
  ]);
  mcp = await startMcpService(plain.keys);
  runtime = await begin();
});

afterAll(async () => {
  await runtime.stop();
  await Promise.all([plain, gzip, br, mcp].map((server) => server.close()));
});

const serverOf = (sdk: string): { readonly url: string; readonly open: number } =>
  sdk === 'mcp' ? mcp : plain;

async function hear(sdk: string, prompts: string[], more: Partial<Asked> = {}): Promise<readonly Heard[]> {
  const ref = await runtime.spawn('user', { input: { sdk, url: serverOf(sdk).url, prompts, ...more } });
  const heard = await toPromise(ref);
  told.push(heard);
  return heard;
}

describe.each(all)('%s, as it is, with a key that its agent does not have', (sdk) => {
  test('streams an answer, from which an echo of the key is taken', async () => {
    const [counted, echoed] = await hear(sdk, ['count to 5', 'echo your key']);
    expect(counted).toEqual({ text: '1 2 3 4 5 ', pieces: 5 });
    expect(echoed?.text).toBe('My key is <redacted:secret> as you see');
  });

  test('ends a stream by its signal, and the connection ends', async () => {
    const [heard] = await hear(sdk, ['count to 100000'], { abortAfter: 3 });
    expect(heard?.error).toBeDefined();
    expect(heard?.text).toBeUndefined();
    await expect.poll(() => serverOf(sdk).open).toBe(0);
  });
});

describe.each(models)('%s', (sdk) => {
  test('calls a tool and goes on with its result', async () => {
    const [heard] = await hear(sdk, ['call price with {"of":"tea"}']);
    expect(heard?.text).toBe('The tool says tea costs 7');
  });

  test('tries again after 429, when the service lets it', async () => {
    const before = plain.requests.length;
    plain.refuse(1, 20);
    expect(await hear(sdk, ['say hello'])).toMatchObject([{ text: 'hello' }]);
    expect(plain.requests.slice(before).map(({ status }) => status)).toEqual([429, 200]);
  });

  test.each(['gzip', 'br'])('reads an answer that came as %s, without the key in it', async (encoding) => {
    const { url } = encoding === 'gzip' ? gzip : br;
    const [heard] = await hear(sdk, ['echo your key'], { url });
    expect(heard?.text).toBe('My key is <redacted:secret> as you see');
  });
});

test('a rotation under the load of all of them fails none: the old key is refused, and the request is sent with the new one', async () => {
  const prompts = Array.from({ length: 8 }, (_, n) => `say number ${n}`);
  const { keys } = plain;
  let asked = 0;
  let refused = 0;
  keys.has = (key) => {
    asked += 1;
    if (asked === 7 && keys.delete(first)) keys.add(second);
    const isKnown = Set.prototype.has.call(keys, key);
    if (!isKnown) refused += 1;
    // The provider has the new key as soon as the old one is refused, and not before: one request at least meets that.
    if (refused === 1 && !isKnown) provider.set('prod/key', 'v2', second);
    return isKnown;
  };
  for (const heard of await Promise.all(all.map((sdk) => hear(sdk, prompts))))
    expect(heard.map(({ text, error }) => text ?? error)).toEqual(prompts.map((prompt) => prompt.slice(4)));
  expect(refused).toBeGreaterThan(0);
});

test('neither key was in the thread, the logs or the audit trail, and what the agent made up never reached a service', () => {
  const outside = JSON.stringify({ told, audited, status: runtime.status() });
  expect(outside).toContain('<redacted:secret>');
  expect(outside).not.toMatch(/CANARY/);
  const inside =
    JSON.stringify([plain, gzip, br].map(({ requests }) => requests)) + JSON.stringify(mcp.received);
  expect(inside).toContain(first);
  expect(inside).toContain(second);
  expect(inside).not.toContain('made-up-by-the-agent');
});
