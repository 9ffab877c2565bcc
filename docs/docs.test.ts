import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { HoldfastError, type HoldfastErrorCode } from 'holdfast';
import { configJsonSchema, validateConfig } from 'holdfast/config';
import { builtinProviders } from '../providers/builtin-providers.ts';
import { runCommand } from '../runtime/cli/program.ts';
import { routes } from '../runtime/gateway/routes.ts';
import { anchorsOf } from './anchors.fixture.ts';
import { blocks, exampleFolder } from './examples.fixture.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const guides = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md'))
  .map((path) => `docs/${path}`);
const sources = ['actors', 'providers', 'runtime'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.includes('fixtures'))
    .map((path) => `${folder}/${path}`),
);

/** First cells of table rows that hold nothing but one piece of code. */
function codeCells(markdown: string): string[] {
  return [...markdown.matchAll(/^\| `([^`]+)` \|/gm)].map(([, code = '']) => code);
}

function section(markdown: string, heading: string): string {
  return markdown.split(`\n${heading}\n`)[1]?.split(/\n#{1,3} /)[0] ?? '';
}

/** The literals of a union of string literals. */
function union(source: string, name: string): string[] {
  const body = new RegExp(`type ${name} =([^;]*);`).exec(source)?.[1] ?? '';
  return [...body.matchAll(/'([^']+)'/g)].map(([, literal = '']) => literal);
}

/** The files, besides the one that declares it, in which a literal stands. */
function usesOf(literal: string, declaredIn: string): string[] {
  return sources.filter((path) => path !== declaredIn && read(path).includes(`'${literal}'`));
}

const errors = read('docs/errors.md');
const reserved = new Set([...section(errors, '## Reserved').matchAll(/`([^`]+)`/g)].map(([, code]) => code));

test('every error code is documented under a heading of its own, or listed as reserved', () => {
  const codes = union(read('runtime/base/errors.ts'), 'HoldfastErrorCode');
  const documented = [...errors.matchAll(/^### ([A-Z_]+)$/gm)].map(([, code = '']) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(documented.toSorted()).toEqual(codes.filter((code) => !reserved.has(code)).toSorted());
  expect(codes).toEqual(expect.arrayContaining([...reserved].filter((code) => /^[A-Z_]+$/.test(code ?? ''))));
});

test('a documented error code occurs in the sources, and a reserved one does not', () => {
  for (const code of union(read('runtime/base/errors.ts'), 'HoldfastErrorCode')) {
    const uses = usesOf(code, 'runtime/base/errors.ts');
    expect
      .soft(uses.length > 0, `${code} is used in ${uses.join(', ') || 'nothing'}`)
      .toBe(!reserved.has(code));
  }
});

test('the table of errors says of each code what its errors say', () => {
  const told = [...errors.matchAll(/^\| \[`([A-Z_]+)`\]\(#[a-z_]+\) \| (yes|no) \|/gm)];
  const codes = union(read('runtime/base/errors.ts'), 'HoldfastErrorCode') as HoldfastErrorCode[];
  const expected = codes.map((code) => [code, new HoldfastError(code, '').retryable ? 'yes' : 'no'] as const);
  expect(told).toHaveLength(codes.length);
  expect(Object.fromEntries(told.map(([, code, said]) => [code, said]))).toEqual(
    Object.fromEntries(expected),
  );
});

test('each documented error says when it comes and what to do', () => {
  for (const [, code = '', text = ''] of errors.matchAll(/^### ([A-Z_]+)$([\s\S]*?)(?=^##)/gm)) {
    expect.soft(text, code).toContain('**When.**');
    expect.soft(text, code).toContain('**What to do.**');
  }
});

test('the problem codes of a config are those of the sources', () => {
  const found = new Set<string>();
  for (const path of sources.filter((path) => /^runtime\/(?:config|migrate)\//.test(path))) {
    const text = read(path);
    for (const [, code = ''] of text.matchAll(
      /(?:\bcode: |unreadable\(|mismatch\(|#refuse\(.+?, )'([a-z-]+)'/g,
    ))
      found.add(code);
    for (const [, code = ''] of text.matchAll(/^ {2}(?:invalid|too)_\w+: '([a-z-]+)'/gm)) found.add(code);
  }
  expect(codeCells(section(errors, '### CONFIG_INVALID')).toSorted()).toEqual([...found].toSorted());
});

test('every reason of a dead letter is documented with its code, or listed as reserved', () => {
  const declaredIn = 'runtime/base/dead-letter-reason.ts';
  const [, list = ''] = /const reasons = \[([^\]]*)\]/.exec(read(declaredIn)) ?? [];
  const reasons = [...list.matchAll(/'([^']+)'/g)].map(([, reason = '']) => reason);
  const table = codeCells(section(errors, '## Dead letters'));
  expect(reasons.length).toBeGreaterThan(5);
  expect(table.toSorted()).toEqual(reasons.filter((reason) => !reserved.has(reason)).toSorted());
  for (const reason of reasons) {
    const used = usesOf(reason, declaredIn).length > 0;
    expect.soft(used, reason).toBe(!reserved.has(reason));
  }
});

test('every reason for the end of an incarnation is documented', () => {
  const table = codeCells(section(errors, '## The end of things'));
  expect(table.toSorted()).toEqual(union(read('runtime/base/endings.ts'), 'StopReason').toSorted());
});

test('the config error that is shown is the one that comes', async () => {
  const { file, output } = Object.fromEntries(
    blocks(errors).flatMap(([info, text]) => {
      if (info === 'json5 openclaw.json') return [['file', text]];
      return info === 'text output' ? [['output', text]] : [];
    }),
  ) as { file: string; output: string };
  const folder = await exampleFolder();
  await writeFile(join(folder, 'openclaw.json'), file);
  const error: unknown = await validateConfig(join(folder, 'openclaw.json')).catch(
    (thrown: unknown) => thrown,
  );
  const shown = (error as Error).message.replaceAll(/\S*openclaw\.json/g, 'openclaw.json');
  expect(shown).toBe(output.trimEnd());
});

test('config.md lists every key of the schema, with its default', () => {
  const rows = [
    ...read('docs/config.md').matchAll(/^\| `([^`]+)` \| .* \| (none|required|`[^`]*`) \| .* \|$/gm),
  ];
  const written = rows.map(([, key = '', value = '']) => `${key} ${value.replaceAll('`', '')}`);
  expect(written.length).toBeGreaterThan(40);
  expect(written.toSorted()).toEqual(keysOf(configJsonSchema() as Schema, '').toSorted());
});

test('every config in a guide is a valid one', async () => {
  const all = guides.filter((path) => !path.endsWith('errors.md')).flatMap((path) => blocks(read(path)));
  const configs = all.filter(([info]) => /^json5?$/.test(info));
  expect(configs.length).toBeGreaterThan(3);
  const folder = await exampleFolder();
  for (const [info, text] of all) {
    const [, name] = /^json5 (\S+)$/.exec(info) ?? [];
    if (name !== undefined) await writeFile(join(folder, name), text);
  }
  for (const [index, [, text]] of configs.entries()) {
    const file = join(folder, `${index}.json5`);
    await writeFile(file, text);
    await validateConfig(file, { env: { STAGE: 'test', PATH: '/usr/bin' } });
  }
});

test('status.md has a row for each field of the status, under a heading of its own', () => {
  const page = read('docs/status.md');
  const declared = (file: string, name: string): string[] => {
    const [, body = ''] = new RegExp(`interface ${name} {\\n([\\s\\S]*?)\\n}`).exec(read(file)) ?? [];
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = '']) => field);
  };
  for (const [heading, file, name] of [
    ['## The runtime', 'runtime/telling/status.ts', 'RuntimeStatus'],
    ['## Pools', 'runtime/telling/status.ts', 'PoolStatus'],
    ['## Threads', 'runtime/telling/status.ts', 'ThreadStatus'],
    ['## Instances', 'runtime/telling/status.ts', 'InstanceStatus'],
    ['## Secrets', 'runtime/secrets/values/secret-status.ts', 'SecretStatus'],
    ['## Secret providers', 'runtime/secrets/values/secret-status.ts', 'SecretProviderStatus'],
  ] as const) {
    const fields = declared(file, name);
    expect.soft(fields.length, name).toBeGreaterThan(3);
    expect.soft(codeCells(section(page, heading)), name).toEqual(fields);
  }
});

test('command.md has a section for each command, and no other', async () => {
  const documented = [...read('docs/command.md').matchAll(/^## `holdfast ([a-z -]+)`$/gm)].map(
    ([, name = '']) => name,
  );
  const help = async (...args: readonly string[]): Promise<string> => {
    let text = '';
    const stdout = { write: (more: string) => (text += more) };
    await runCommand([...args, '--help'], { stdout, stderr: stdout, cwd: root, env: {} });
    return text;
  };
  const commandsOf = (text: string): string[] =>
    [...(text.split('\nCommands:\n')[1] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].flatMap(([, name = '']) =>
      name === 'help' ? [] : [name],
    );
  const names: string[] = [];
  for (const name of commandsOf(await help())) {
    const below = commandsOf(await help(name));
    names.push(...(below.length === 0 ? [name] : below.map((inner) => `${name} ${inner}`)));
  }
  expect(names.length).toBeGreaterThan(4);
  expect(documented.toSorted()).toEqual(names.toSorted());
});

test('gateway.md has a row for each route, with its scope, and no other', () => {
  const rows = [...read('docs/gateway.md').matchAll(/^\| `([A-Z]+ \/v1\/\S+)` \| (\w+) \|/gm)];
  const told = routes.map(
    ({ method, path, scope }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')} ${scope}`,
  );
  expect(told.length).toBeGreaterThan(10);
  expect(rows.map(([, request, scope]) => `${request} ${scope}`).toSorted()).toEqual(told.toSorted());
});

test('providers.md has a row for each provider that comes with Holdfast', () => {
  const rows = read('docs/providers.md').matchAll(/^\| \[`([^`]+)`\]\(#/gm);
  const listed = Array.from(rows, ([, name = '']) => name);
  expect(listed.toSorted()).toEqual([...builtinProviders.keys()].toSorted());
});

test('dependencies.md has a row for each dependency, and no other', () => {
  const page = read('docs/dependencies.md');
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const rows = (heading: string): string[] => codeCells(section(page, heading)).toSorted();
  expect(rows('## At run time')).toEqual(Object.keys(manifest['dependencies'] ?? {}).toSorted());
  expect(rows('## In development')).toEqual(Object.keys(manifest['devDependencies'] ?? {}).toSorted());
  expect(rows('## Peer')).toEqual(Object.keys(manifest['peerDependencies'] ?? {}).toSorted());
});

test.for(['llms.txt', 'docs/README.md'])(
  '%s lists each guide once, under its title, and nothing that is not there',
  (index) => {
    const links = [...read(index).matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
    const listed = links.map(([, title, path = '']) => ({ path: join(dirname(index), path), title }));
    const titles = guides
      .filter((path) => path !== index && !path.startsWith('docs/decisions/'))
      .map((path) => ({ path, title: /^# (.*)$/m.exec(read(path))?.[1] }));
    const inDocs = listed.filter(({ path }) => /^docs\/.*\.md$/.test(path));
    const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
    expect(inDocs.toSorted(byPath)).toEqual(titles.toSorted(byPath));
    expect(listed.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
  },
);

test.for([
  ['runtime/index.ts', 'holdfast'],
  ['runtime/worker/agent.ts', 'holdfast-agent'],
  ['runtime/client/index.ts', 'holdfast-client'],
  ['runtime/client/react.ts', 'holdfast-client-react'],
  ['runtime/cluster/index.ts', 'holdfast-cluster'],
  ['runtime/testing/index.ts', 'holdfast-testing'],
  ['runtime/config/index.ts', 'holdfast-config'],
] as const)('all that %s exports is in the API reference, which npm run docs:api writes', ([entry, page]) => {
  const source = read(entry);
  const listed = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names.split(',').map((name) =>
      name
        .replace(/^\s*type /, '')
        .replace(/^.* as /, '')
        .trim(),
    ),
  );
  const declared = [...source.matchAll(/^export (?:async )?(?:function|interface|type|const|class) (\w+)/gm)];
  const exported = [...listed, ...declared.map(([, name = '']) => name)].filter((name) => name !== '');
  const headings = new Set([...read(`docs/api/${page}.md`).matchAll(/^### (\w+)/gm)].map(([, name]) => name));
  expect(exported.length).toBeGreaterThan(5);
  expect([...new Set(exported)].filter((name) => !headings.has(name))).toEqual([]);
});

/** Nothing when there is no such command. */
async function helpOf(names: readonly string[]): Promise<string> {
  let help = '';
  const stdout = { write: (text: string) => void (help += text) };
  await runCommand([...names, '--help'], { stdout, stderr: { write: () => {} }, cwd: root, env: {} });
  return help;
}

test('every command line in the guides is one of the command', async () => {
  const lines = [...guides, 'README.md', 'llms.txt'].flatMap((path) =>
    [...read(path).matchAll(/npx holdfast ([^`\n|#;&>]*)/g)].map(([, line = '']) => ({
      path,
      line: line.trim(),
    })),
  );
  expect(lines.length).toBeGreaterThan(30);
  const wrong: string[] = [];
  for (const { path, line } of lines) {
    const words = line.split(/\s+/);
    const flags = words.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/, ''));
    const names = words.slice(
      0,
      words.findIndex((word) => !/^[a-z-]+$/.test(word) || word.startsWith('-')) >>> 0,
    );
    const help = (await helpOf(names.slice(0, 2))) || (await helpOf(names.slice(0, 1)));
    const unknown = flags.filter((flag) => flag !== '--help' && !help.includes(flag));
    if (line !== '' && (help === '' || unknown.length > 0))
      wrong.push(`${path}: ${line}: ${unknown.join(', ')}`);
  }
  expect(wrong).toEqual([]);
});

test('links between the guides lead somewhere', () => {
  const lost = [...guides, 'CONTRIBUTING.md', 'CHANGELOG.md'].flatMap((page) =>
    linksOf(read(page))
      .filter((link) => !leadsSomewhere(page, link))
      .map((link) => `${page}: ${link}`),
  );
  expect(lost).toEqual([]);
});

function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^https?:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, target))) return false;
  return anchor === undefined || anchorsOf(read(target)).includes(anchor);
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly default?: unknown;
}

/** What stands for a name that the user chooses, by the key that holds the names. */
const placeholders: Readonly<Record<string, string>> = {
  agents: '<name>',
  threads: '<threadId>',
  providers: '<alias>',
  secrets: '<label>',
  mcp: '<server>',
  tokens: '<token>',
};

function keysOf(schema: Schema, path: string): string[] {
  const object = schema.anyOf?.find(({ type }) => type === 'object') ?? schema;
  const keys: string[] = [];
  for (const [key, value] of Object.entries(object.properties ?? {})) {
    const inner = path === '' ? key : `${path}.${key}`;
    const fallback = value.default === undefined ? 'none' : JSON.stringify(value.default);
    keys.push(`${inner} ${object.required?.includes(key) ? 'required' : fallback}`, ...keysOf(value, inner));
  }
  const values = object.additionalProperties;
  const placeholder = placeholders[path.split('.').at(-1) ?? ''];
  if (typeof values !== 'object' || placeholder === undefined) return keys;
  return [...keys, ...keysOf(values, `${path}.${placeholder}`)];
}
