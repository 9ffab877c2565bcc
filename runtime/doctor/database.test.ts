import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { shell } from '../cli/fixtures/shell.ts';
import { createRuntime } from '../runtime.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import type { DoctorFinding } from './finding.ts';

const CANARY = 'CANARY-of-the-database-9d1';

let server: Server;
beforeAll(async () => {
  if (hasPostgres) server = await startServer();
});
afterAll(() => server?.remove());

/** A project with its store in the schema of a database, whose url is the value of a variable. */
function project(schema: string, user = 'holdfast') {
  const cwd = mkdtempSync(join(tmpdir(), 'holdfast-database-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const file = join(cwd, 'openclaw.json');
  process.env['DOCTOR_DATABASE'] =
    `postgresql://${user}:${CANARY}@localhost/postgres?host=${encodeURIComponent(server.folder)}`;
  process.env['DOCTOR_KEY'] = 'CANARY-of-an-agent';
  const module = fileURLToPath(new URL('../fixtures/account.ts', import.meta.url));
  const secrets = { key: { ref: 'DOCTOR_KEY', mode: 'capability', capabilities: ['sign.hmac'] } };
  const account = {
    type: 'thread-bound',
    threadId: 'pool',
    maxThreads: 1,
    module,
    secrets,
    instances: ['first'],
  };
  const config = {
    externalSecrets: { provider: 'env' },
    store: { type: 'postgres', url: 'DOCTOR_DATABASE', schema },
    agents: { account },
  };
  writeFileSync(file, JSON.stringify(config));
  const runs = shell(cwd);
  const run = async (args: string) => {
    const ran = await runs(args);
    expect(ran.out + ran.err).not.toContain(CANARY);
    return ran;
  };
  const findings = async (): Promise<string[]> => {
    const { out } = await run('doctor --json');
    const all = (JSON.parse(out) as { findings: DoctorFinding[] }).findings;
    return all.flatMap(({ checkId, severity, message, fix = '' }) =>
      checkId === 'store' ? [`${severity}: ${message} (${fix})`] : [],
    );
  };
  return { file, run, findings };
}

describe.skipIf(!hasPostgres)('the doctor of a store in a database', () => {
  test('says that it is reached, whether its tables are there and who has it open, and takes it from nobody', async () => {
    const { file, findings } = project('looked');
    const reached =
      /^ok: the store looked in the database of the secret "DOCTOR_DATABASE" is reached: PostgreSQL \d+.*, as holdfast; /;
    const before = await findings();
    expect(before).toEqual([expect.stringMatching(reached)]);
    expect(before[0]).toContain('it is not there yet: the first start makes it');
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const runtime = await createRuntime(file, { logger });
    onTestFinished(() => runtime.stop());
    expect(await findings()).toEqual([
      expect.stringMatching(new RegExp(`${reached.source}pid ${process.pid} on .* has opened it 20`)),
    ]);
    const ref = runtime.get('account/first');
    expect(await ref?.ask({ type: 'deposit', amount: 2 })).toBe(2);
    await runtime.stop();
    expect((await findings())[0]).toContain('; nobody has it open');
  });

  test('says what the user may not, and what to do', async () => {
    server.sql('create role guest login; create schema owned');
    expect(await project('owned', 'guest').findings()).toEqual([
      expect.stringMatching(
        /^error: .* as guest, who may not make anything in the schema owned of postgres .*open it as postgres/,
      ),
    ]);
    expect(await project('other', 'guest').findings()).toEqual([
      expect.stringMatching(
        /^error: .*, who may not make the schema other .*grant create on database … to "guest"/,
      ),
    ]);
  });

  test('says that it is not reached, and that nothing starts without it', async () => {
    const { findings } = project('away');
    await server.stop();
    onTestFinished(() => server.start());
    expect(await findings()).toEqual([
      expect.stringMatching(
        /^error: the store away .* cannot be reached.*See whether PostgreSQL runs there.*a gateway does not start/,
      ),
    ]);
  });

  test('is no file, which each command for files says, with what to use instead', async () => {
    const { run } = project('filed');
    for (const [args, instead] of [
      ['check', 'holdfast doctor'],
      ['backup a.db', 'pg_dump'],
      ['restore a.db', 'pg_restore'],
      ['compact', 'autovacuum'],
      ['rekey', 'disks of the server'],
      ['export a.jsonl', 'pg_dump'],
      ['resume', '/v1/store/resume'],
      ['forget account/a', 'delete what has the address'],
    ] as const) {
      // One after the other, as a person would.
      // oxlint-disable-next-line no-await-in-loop
      const { code, err } = await run(`store ${args}`);
      expect.soft(code, args).toBe(1);
      expect.soft(err, args).toContain(`holdfast store ${args.split(' ')[0]} is for files`);
      expect.soft(err, args).toContain(instead);
    }
    const explained = await run('explain --json');
    expect(JSON.parse(explained.out)).toMatchObject({
      store: 'filed in the database of the secret "DOCTOR_DATABASE"',
    });
    const audited = await run('secrets audit');
    expect(audited).toMatchObject({ code: 0 });
  }, 60_000);
});
