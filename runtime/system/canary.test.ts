import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formsOf } from '../secrets/fixtures/encoders.ts';

const CANARY = 'CANARY/7e0b+1 "quoted"';
const forms = formsOf(CANARY);
const carries = (text: string): boolean => forms.some((form) => text.includes(form));

interface Recorded {
  readonly kind: string;
  readonly text: string;
}

describe('a run in which agents misbehave with a value in every way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-canary-'));
  let printed = { stdout: '', stderr: '' };
  let records: Recorded[] = [];
  const ofKind = (kind: string): string[] =>
    records.filter((one) => one.kind === kind).map(({ text }) => text);

  beforeAll(async () => {
    const script = join(import.meta.dirname, '..', 'fixtures', 'canary-run.ts');
    const args = ['-C', 'holdfast-source', script, folder];
    const env = { ...process.env, RUN_CANARY: CANARY };
    printed = await promisify(execFile)(process.execPath, args, { timeout: 60_000, env });
    records = JSON.parse(readFileSync(join(folder, 'records.json'), 'utf8')) as Recorded[];
  }, 90_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('shows it nowhere where something leaves the runtime', () => {
    const hits = records.filter(({ kind, text }) => kind !== 'own' && carries(text)).map(({ kind }) => kind);
    expect(hits).toEqual([]);
  });

  test.each([
    ['ask', 'threw <redacted:secret>'],
    ['persist', 'SECRET_IN_SNAPSHOT'],
    ['observed error', 'threw <redacted:secret>'],
    ['error of a machine', 'threw <redacted:secret>'],
    ['snapshot of a machine', 'threw <redacted:secret>'],
    ['can', 'guarded with <redacted:secret>'],
    ['spawn', 'ADDRESS_TAKEN'],
    ['log', 'threw <redacted:secret>'],
    ['log', 'invoked with <redacted:secret>'],
    ['log', 'guarded with <redacted:secret>'],
    ['log', 'nobody caught <redacted:secret>'],
    ['runtime.on dead-letter', '<redacted:secret>'],
    ['runtime.on warning', 'SECRET_IN_SNAPSHOT'],
    ['dead letters', '<redacted:secret>'],
    ['snapshot', 'keeping/a'],
    ['span', 'spawn blabbing'],
    ['span', 'signer/<redacted:secret>'],
    ['metric', 'holdfast'],
    ['status', 'blabbing/a'],
    ['status', 'threw <redacted:secret>'],
    ['quarantine', 'AGENT_QUARANTINED'],
    ['inspector frame', '<redacted:secret>'],
    ['inspector page', 'event: replay'],
    ['inspector page', '<redacted:secret>'],
    ['inspector page', '\\"state\\":\\"quarantined\\"'],
    ['prometheus', 'holdfast_instances'],
    ['context of a signer', 'signature'],
  ])('has said it in %s: %s', (kind, said) => {
    expect(ofKind(kind).some((text) => text.includes(said))).toBe(true);
  });

  test('left what the program passes around alone', () => {
    expect(ofKind('own').filter(carries).length).toBeGreaterThanOrEqual(3);
  });

  test('printed without it what threads print', () => {
    expect(printed.stdout).toContain('printed <redacted:secret>');
    expect(printed.stderr).toContain("printed { as: '<redacted:secret>");
    expect(carries(printed.stdout + printed.stderr)).toBe(false);
  });

  test('left an audit trail without it', () => {
    const trail = readFileSync(join(folder, 'audit.jsonl'), 'utf8');
    expect(trail).toContain('"mode":"reveal"');
    expect(trail).toContain('"mode":"capability"');
    expect(carries(trail)).toBe(false);
  });

  test('had it in no heap of a thread whose agents use a capability, and the search finds it in one of the others', () => {
    const heaps = readdirSync(folder).filter((name) => name.startsWith('heap-'));
    const found = heaps.filter((name) => carries(readFileSync(join(folder, name), 'latin1')));
    expect(heaps.filter((name) => name.startsWith('heap-signer'))).toHaveLength(1);
    expect(found.filter((name) => name.startsWith('heap-blabbing'))).toHaveLength(1);
    expect(found.filter((name) => !name.startsWith('heap-blabbing'))).toEqual([]);
  });
});
