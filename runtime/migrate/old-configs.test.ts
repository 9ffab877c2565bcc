import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entriesOf, property } from '../config/finding.ts';
import { validateConfig } from '../config/load.ts';
import { oldConfigs } from './fixtures/old-configs.ts';
import { bytesOf, oldProject } from './fixtures/project.ts';

interface Report {
  readonly store: string;
  readonly agents: readonly { readonly name: string; readonly threadId: string }[];
  readonly credentials: readonly {
    readonly ref: { readonly provider: string; readonly id: string };
    readonly places: readonly { readonly path: string }[];
  }[];
  readonly todos: readonly string[];
}

const readable = oldConfigs.filter(({ error }) => error === undefined);
const unreadable = oldConfigs.filter(({ error }) => error !== undefined);

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

test.each(readable)('$what: becomes what it is to be, and the undo puts every byte back', async (config) => {
  const { threads = {}, kept, gone = [], stays = {}, grants, todos = [] } = config;
  const { folder, data, run } = await oldProject(config.files);
  const before = await bytesOf(folder);

  const planned = await run('migrate --dry-run --json');
  expect([planned.code, planned.err]).toEqual([0, '']);
  expect([await bytesOf(folder), await bytesOf(data)]).toEqual([before, {}]);
  const ran = await run('migrate --json');
  expect([ran.code, ran.err]).toEqual([0, '']);

  const report = JSON.parse(ran.out) as Report;
  expect(JSON.parse(planned.out)).toMatchObject({ agents: report.agents, credentials: report.credentials });
  const root = await validateConfig(join(folder, 'openclaw.json'), { env: {} });
  const written = entriesOf(root.agents).map(([name, agent]) => [name, property(agent, 'threadId')]);
  expect(Object.fromEntries(written)).toEqual(threads);
  expect(Object.fromEntries(report.agents.map(({ name, threadId }) => [name, threadId]))).toEqual(threads);

  const values = await Promise.all(
    report.credentials.map(async ({ ref, places }) => {
      const value = (await readFile(join(report.store, ref.id), 'utf8')).replace(/\n$/, '');
      return places.map(({ path }) => [path, value] as const);
    }),
  );
  // Of what is written twice no table has both.
  const found = Object.fromEntries(values.flat().filter(([path]) => path !== 'TWICE_TOKEN'));
  expect(found).toEqual(kept ?? found);
  const after = await bytesOf(folder);
  const all = JSON.stringify(after);
  const isLong = ([, value]: readonly [string, string]): boolean =>
    value.length >= 12 && config.isNamed !== true;
  const secrets = values.flat().flatMap((one) => (isLong(one) ? [one[1]] : []));
  const isIn = (where: string) => (value: string) =>
    where.includes(JSON.stringify(latin1(value)).slice(1, -1));
  expect([...secrets, ...gone].filter(isIn(all))).toEqual([]);
  expect([...secrets, ...gone].filter(isIn(JSON.stringify(ran.out + planned.out)))).toEqual([]);
  for (const [file, parts] of Object.entries(stays)) {
    for (const part of parts) expect(after[file]).toContain(latin1(part));
  }
  expect(grantsIn(root)).toEqual(grants ?? grantsIn(root));
  for (const todo of todos) expect(report.todos).toContainEqual(expect.stringContaining(todo));

  const again = await run('migrate');
  expect([again.code, again.out]).toEqual([0, expect.stringContaining('openclaw.json: nothing to change')]);
  const undone = await run('migrate --undo');
  expect([undone.code, undone.out]).toEqual([0, expect.stringMatching(/^Restored: /)]);
  expect(await bytesOf(folder)).toEqual(before);
  expect(await bytesOf(join(data, 'migrations'))).toEqual({});
});

test.each(unreadable)(
  '$what: is not touched, and it is told where',
  async ({ files, error = [], gone = [] }) => {
    const { folder, data, run } = await oldProject(files);
    const before = await bytesOf(folder);
    const { code, err } = await run('migrate');
    expect(code).toBe(78);
    for (const part of error) expect(err).toContain(part);
    expect(gone.filter((value) => err.includes(value))).toEqual([]);
    expect([await bytesOf(folder), await bytesOf(data)]).toEqual([before, {}]);
  },
);

function grantsIn(root: unknown): string[] {
  return entriesOf(property(root, 'agents')).flatMap(([name, agent]) =>
    entriesOf(property(agent, 'secrets')).map(([label, grant]) => {
      const { provider, id } = property(grant, 'ref') as { provider: string; id: string };
      const [header, format] = [property(grant, 'header'), property(grant, 'format')];
      const how = label.startsWith('headers-') ? ` in ${String(header)} as ${String(format)}` : '';
      return `${name}: ${label} = ${provider}:${id} for ${String(property(grant, 'hosts'))}${how}`;
    }),
  );
}
