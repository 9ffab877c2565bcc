import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createAudit, type AuditRecord, type AuditTarget } from './audit.ts';

const use: AuditRecord = {
  at: '2026-11-01T00:00:00.000Z',
  address: 'trading-agent/btc',
  incarnation: 1,
  pool: 'trading-pool',
  label: 'desk-key',
  versionId: 'v1',
  mode: 'capability',
  through: 'sign-order',
  outcome: 'ok',
  ms: 3,
};

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'holdfast-audit-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

function audit(target: AuditTarget | undefined, scrubText?: (text: string) => string) {
  const warn = vi.fn<(fields: object, message: string) => void>();
  return {
    warn,
    ...bound(createAudit(target, { clock: systemClock, warn, ...(scrubText && { scrubText }) })),
  };
}

function bound(trail: ReturnType<typeof createAudit>) {
  return {
    record: (record: AuditRecord) => trail.record(record),
    close: () => trail.close(),
    flush: () => trail.flush(),
    lost: () => trail.lost,
  };
}

const lines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('each use is a JSON line in a file of mode 0600, in order, behind what was there', async () => {
  const path = join(folder(), 'audit.jsonl');
  const first = audit(path);
  for (let ms = 0; ms < 500; ms += 1) first.record({ ...use, ms });
  await first.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(lines(path)).toEqual(Array.from({ length: 500 }, (_, ms) => ({ ...use, ms })));
  const second = audit(pathToFileURL(path));
  second.record({ ...use, outcome: 'SECRET_NOT_GRANTED' });
  await second.flush();
  expect(lines(path)).toHaveLength(501);
  expect(lines(path).at(-1)).toEqual({ ...use, outcome: 'SECRET_NOT_GRANTED' });
  await second.close();
  expect(second.warn).not.toHaveBeenCalled();
});

test.each([
  ['a symbolic link', 'is a symbolic link', (path: string) => symlinkSync('/dev/null', path)],
  ['a pipe that nobody reads', 'ENXIO', (path: string) => void execFileSync('mkfifo', [path])],
])('%s is refused at the start', (_, why, make) => {
  const path = join(folder(), 'audit');
  make(path);
  expect(() => audit(path)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  expect(() => audit(path)).toThrow(why);
});

test('a folder, a missing folder and a URL of elsewhere are refused at the start', () => {
  const made = folder();
  expect(() => audit(made)).toThrow('EISDIR');
  expect(() => audit(join(made, 'missing', 'audit'))).toThrow('ENOENT');
  expect(() => audit(new URL('https://example.com/audit'))).toThrow('is not a file: URL');
});

test('a full disk is warned about once, counted, and fails no call', async () => {
  const full = audit('/dev/full');
  for (let ms = 0; ms < 3; ms += 1) full.record({ ...use, ms });
  await full.flush();
  full.record(use);
  await full.close();
  expect(full.lost()).toBe(4);
  expect(full.warn).toHaveBeenCalledOnce();
  expect(full.warn.mock.calls[0]).toMatchObject([
    { file: '/dev/full', error: { code: 'ENOSPC' } },
    expect.any(String),
  ]);
});

test('a disk that has room again is told how many are missing, and only one line is torn', () => {
  const path = join(folder(), 'audit');
  const script = join(import.meta.dirname, 'fixtures', 'audit-on-a-full-disk.ts');
  // A file may not grow beyond one block of 1024 bytes there, until the script raises its limit.
  execFileSync(
    'bash',
    [
      '-c',
      'trap "" XFSZ; ulimit -S -f 1; exec "$@"',
      '-',
      process.execPath,
      '-C',
      'holdfast-source',
      script,
      path,
    ],
    { timeout: 60_000 },
  );
  const written = lines(path.concat('.result'))[0] as { lost: number };
  expect(written.lost).toBeGreaterThan(0);
  const text = readFileSync(path, 'utf8').split('\n');
  const torn = text.findIndex((line) => !line.endsWith('}'));
  expect(text.slice(0, torn).map((line) => JSON.parse(line))).toMatchObject([
    { ms: 0 },
    { ms: 1 },
    { ms: 2 },
  ]);
  expect(JSON.parse(text[torn + 1] as string)).toEqual({ at: expect.any(String), lost: written.lost });
  expect(JSON.parse(text[torn + 2] as string)).toMatchObject({ address: 'a/b' });
  expect(text.slice(torn + 3)).toEqual(['']);
});

test('a disk too slow for what is recorded loses what is beyond ten thousand records', async () => {
  const path = join(folder(), 'audit');
  const slow = audit(path);
  for (let ms = 0; ms < 10_100; ms += 1) slow.record({ ...use, ms });
  expect(slow.lost()).toBe(100);
  await slow.close();
  expect(lines(path)).toHaveLength(10_001);
  expect(lines(path)).toContainEqual({ at: expect.any(String), lost: 100 });
  expect(slow.warn).toHaveBeenCalledOnce();
});

test('a function gets each record, frozen; one that throws or rejects is warned about once and disturbs nobody', async () => {
  const heard: AuditRecord[] = [];
  const calm = audit((record) => void heard.push(record));
  calm.record(use);
  expect(heard).toEqual([use]);
  expect(Object.isFrozen(heard[0])).toBe(true);
  const upset = audit(() => {
    throw new Error('no');
  });
  upset.record(use);
  upset.record(use);
  expect(upset.lost()).toBe(2);
  expect(upset.warn).toHaveBeenCalledOnce();
  const later = audit(async () => {
    throw new Error('later');
  });
  later.record(use);
  await vi.waitFor(() => expect(later.lost()).toBe(1));
});

test('what an instance named is cut to 200 characters and carries no value', async () => {
  const heard: AuditRecord[] = [];
  const cut = audit(
    (record) => void heard.push(record),
    (text) => text.replaceAll('CANARY', '<redacted:secret>'),
  );
  cut.record({ ...use, label: `CANARY${'x'.repeat(1000)}`, through: 'CANARY' });
  expect(heard[0]?.label).toMatch(/^<redacted:secret>x{183}$/);
  expect(heard[0]?.through).toBe('<redacted:secret>');
});

test('nothing is recorded after the end, nor without a target', async () => {
  const path = join(folder(), 'audit');
  writeFileSync(path, '');
  const closed = audit(path);
  await Promise.all([closed.close(), closed.close()]);
  closed.record(use);
  expect(closed.lost()).toBe(1);
  expect(readFileSync(path, 'utf8')).toBe('');
  const none = audit(undefined);
  none.record(use);
  expect(none.lost()).toBe(0);
  await none.close();
});
