import { parse, traverse, type Node } from '@humanwhocodes/momoa';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../base/errors.ts';
import { configFolder } from './fixtures/config-folder.ts';
import { loadConfig, validateConfig } from './load.ts';

/** The nightly run has more. */
const RUNS = Number(process.env['HOLDFAST_RUNS'] ?? 200);
const CANARY = 'cnry-7f3a9';

const full = `// Everything a config can have.
{
  $schema: './schema.json',
  externalSecrets: { provider: 'aws-secrets-manager', region: 'ap-east-1', cacheTTL: 300, maxAttempts: 2 },
  secrets: { providers: { vault: { provider: 'env', "variables": ['${CANARY}'] } } },
  agents: {
    "a": {
      type: "thread-bound", threadId: 'p', maxThreads: 2, module: './agents/a.ts', export: 'default',
      secrets: {
        short: { ref: 'prod/key#field', mode: 'capability', capabilities: ['sign'] },
        long: { ref: { provider: 'vault', id: 'k', jsonKey: 'j', stage: 's' }, mode: 'capability', capabilities: [] },
        wire: { ref: { id: 'w', role: 'r', rotation: 'alternating-users' }, mode: 'inject', required: true,
          hosts: ['api.example.com', 'http://127.0.0.1:8080'], methods: ['POST'], paths: ['/v1/*'], header: 'X-Key', format: '{}',
          rate: '5/s', privateAddresses: ['10.0.0.0/8'], maxResponseBytes: 100 },
        bare: { ref: 'b', mode: 'reveal', unsafe: true },
      },
      mailbox: { capacity: 10, overflow: 'drop-oldest', warnBytes: 100, maxBytes: 200 },
      supervision: {
        restart: 'permanent', intensity: { restarts: 5, withinMs: 30000 },
        backoff: { minMs: 200, maxMs: 10000, factor: 2, jitter: 0.2 },
      },
      placement: 'fewest', mirror: 'all', maxIterations: 100,
    },
    b: { type: 'thread-bound', threadId: 'p', maxThreads: 2 },
  },
  threads: {
    p: {
      minThreads: 1, idleTimeoutMs: 1000, isolation: 'thread',
      permissions: { read: ['./data'], write: [], net: false }, env: { TOKEN: '${CANARY}' },
      resourceLimits: { maxOldGenerationSizeMb: 64 }, sharedMemory: true, startTimeoutMs: 5000,
    },
  },
}
`;

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly isKey: boolean;
}

/** The members, keys, elements and values of a text. */
function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  const keys = new Set<Node>();
  traverse(parse(text, { mode: 'json5' }), {
    enter(node) {
      if (node.type === 'Member' && 'name' in node) keys.add(node.name as Node);
      found.push({ start: node.loc.start.offset, end: node.loc.end.offset, isKey: keys.has(node) });
    },
  });
  return found;
}

const replacement = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.constantFrom('', '{}', '[]', 'null', '-1', '0', '1.5', '1e999', 'NaN', '"p"', '"q"', '{__proto__: 1}'),
  fc.constantFrom(
    "'",
    '"',
    '{',
    '}',
    ']',
    ':',
    ',',
    '/*',
    '//',
    'a: 1',
    '"a": {}',
    '__proto__',
    '"constructor"',
  ),
  fc.constantFrom('\\', '\u2028', '\u0000', '\uFEFF', '\uD800'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

/** A text with one to three of its pieces removed, replaced or renamed, or characters written into it. */
const mutated = (text: string) => {
  const all = pieces(text);
  const step = fc.record({
    what: fc.constantFrom('delete', 'replace', 'rename', 'insert', 'cut'),
    where: fc.nat({ max: all.length - 1 }),
    with: replacement,
  });
  return fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) =>
    steps.reduce((current, step) => {
      const piece = all[step.where] ?? { start: 0, end: 0, isKey: false };
      const [before, middle, after] = [
        current.slice(0, piece.start),
        current.slice(piece.start, piece.end),
        current.slice(piece.end),
      ];
      if (step.what === 'delete') return before + after;
      if (step.what === 'insert') return before + step.with + middle + after;
      if (step.what === 'cut') return before;
      return before + (step.what === 'rename' && piece.isKey ? JSON.stringify(step.with) : step.with) + after;
    }, text),
  );
};

/** Loads a text; whatever is wrong with it must be a ConfigError with each problem at a place in the text. */
async function loadsOrExplains(
  load: (file: string) => Promise<unknown>,
  file: string,
  text: string,
): Promise<boolean> {
  const outcome = await load(file).catch((error: unknown) => error);
  if (!(outcome instanceof Error)) return true;
  if (!(outcome instanceof ConfigError)) throw outcome;
  expect(outcome.problems.length).toBeGreaterThan(0);
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  for (const { line = 0, column = 0, code, message } of outcome.problems) {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(message).not.toBe('');
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
  }
  expect(outcome.message).not.toContain(CANARY);
  return false;
}

test('a changed config loads, or each problem is explained at a place in the file', async () => {
  const folder = await configFolder(['a', 'b', 'security-agent', 'finance-agent', 'trading-agent']);
  const seed = await readFile(new URL('./fixtures/seed-openclaw.json', import.meta.url), 'utf8');
  for (const text of [full, seed]) {
    expect(await loadsOrExplains(loadConfig, await folder.write('c.json', text), text)).toBe(true);
    let loaded = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutated(text), fc.boolean(), async (changed, withModules) => {
        // A lone surrogate has no UTF-8: what is read back is what counts.
        const written = Buffer.from(changed, 'utf8');
        const file = await folder.write('c.json', written);
        const ok = await loadsOrExplains(
          withModules ? loadConfig : validateConfig,
          file,
          written.toString('utf8'),
        );
        if (ok) loaded += 1;
        else refused += 1;
      }),
      // Of what chance makes of a large config, now and then none loads.
      {
        numRuns: RUNS,
        examples: [
          [`${text}\n`, true],
          [`\n${text}`, false],
        ],
      },
    );
    expect(loaded).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(RUNS / 6);
  }
});

test('any bytes load, or are explained', async () => {
  const folder = await configFolder();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      const outcome: unknown = await loadConfig(await folder.write('c.json', bytes)).catch(
        (error: unknown) => error,
      );
      expect(outcome).toBeInstanceOf(ConfigError);
    }),
    { numRuns: RUNS },
  );
});

test('any object loads, or is explained', async () => {
  const key = fc.oneof(
    fc.string(),
    fc.constantFrom('agents', 'threads', 'secrets', 'externalSecrets', '__proto__'),
  );
  const config = fc.object({
    key,
    maxDepth: 4,
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
  });
  await fc.assert(
    fc.asyncProperty(config, async (value) => {
      const outcome = await loadConfig(value).catch((error: unknown) => error);
      expect(outcome).toSatisfy((it) => !(it instanceof Error) || it instanceof ConfigError);
    }),
    { numRuns: RUNS },
  );
});
