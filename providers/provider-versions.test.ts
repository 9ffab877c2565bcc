import { expect, test } from 'vitest';
import { createProviderVersions } from './provider-versions.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a version is counted for each secret, and grows when the bytes change', () => {
  const versions = createProviderVersions('file');
  const seen = ['a', 'a', 'b', 'a'].map((value) => versions.of('k', bytes(value)));
  expect(seen.map((version) => version.split('-').at(-1))).toEqual(['1', '1', '2', '3']);
  expect(versions.of('other', bytes('b')).endsWith('-1')).toBe(true);
  expect(seen[0]).toMatch(/^file-[0-9a-f]{8}-1$/);
});

test('no two runs give the same version', () => {
  const one = createProviderVersions('file').of('k', bytes('a'));
  expect(createProviderVersions('file').of('k', bytes('a'))).not.toBe(one);
});

test('what a slow reading finds is no new version when a later one has found another value', () => {
  const versions = createProviderVersions('file');
  const slow = versions.reading('k');
  const quick = versions.reading('k');
  const current = quick(bytes('new'));
  expect(slow(bytes('old'))).toBeUndefined();
  expect(versions.reading('k')(bytes('new'))).toBe(current);
  expect(slow(bytes('new'))).toBe(current);
});
