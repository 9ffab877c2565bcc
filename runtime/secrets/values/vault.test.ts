import { describe, expect, test, vi } from 'vitest';
import { createVault } from './vault.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('the vault', () => {
  test('takes bytes over and hands out copies in memory of their own', () => {
    const vault = createVault();
    const given = bytes('value-one');
    vault.put('k', 'v1', given);
    expect(given).toEqual(Buffer.alloc(9));
    const first = vault.read('k', 'v1');
    expect(first?.toString()).toBe('value-one');
    expect(first?.buffer.byteLength).toBe(9);
    first?.fill(0);
    expect(vault.read('k', 'v1')?.toString()).toBe('value-one');
  });

  test('keeps three versions of a secret, the ones used last', () => {
    const vault = createVault();
    for (const version of ['v1', 'v2', 'v3']) vault.put('k', version, bytes(version));
    expect(vault.read('k', 'v1')?.toString()).toBe('v1');
    expect(vault.has('k', 'v2')).toBe(true);
    vault.put('k', 'v4', bytes('v4'));
    expect(vault.versions('k')).toEqual(['v3', 'v1', 'v4']);
    expect(vault.has('k', 'v2')).toBe(false);
    vault.put('k', 'v3', bytes('v3'));
    vault.put('k', 'v5', bytes('v5'));
    expect(vault.versions('k')).toEqual(['v4', 'v3', 'v5']);
  });

  test('drops the secret that was used longest ago when there are too many, a granted one last, and says so', () => {
    const dropped: string[] = [];
    const granted = new Set(['a']);
    const vault = createVault({
      maxEntries: 3,
      isGranted: (key) => granted.has(key),
      onDropped: (key) => dropped.push(key),
    });
    for (const key of ['a', 'b', 'c']) vault.put(key, 'v1', bytes(key));
    vault.read('b', 'v1');
    expect(vault.has('c', 'v1')).toBe(true);
    vault.put('d', 'v1', bytes('d'));
    vault.put('e', 'v1', bytes('e'));
    expect(dropped).toEqual(['c', 'b']);
    for (const key of ['d', 'e', 'f']) granted.add(key);
    vault.put('f', 'v1', bytes('f'));
    expect([dropped, vault.size()]).toEqual([['c', 'b', 'a'], 3]);
    expect(vault.read('a', 'v1')).toBeUndefined();
  });

  test('keeps secrets apart and drops one with all its versions', () => {
    const vault = createVault();
    vault.put('k', 'v1', bytes('k1'));
    vault.put('k', 'v2', bytes('k2'));
    vault.put('l', 'v1', bytes('l1'));
    vault.evict('k');
    vault.evict('unknown');
    expect(vault.read('k', 'v1')).toBeUndefined();
    expect(vault.versions('k')).toEqual([]);
    expect(vault.read('l', 'v1')?.toString()).toBe('l1');
    vault.clear();
    expect(vault.versions('l')).toEqual([]);
  });

  test.each(['evict', 'clear', 'fourth version', 'same version again', 'no room'])(
    '%s overwrites the bytes with zeros',
    (how) => {
      // The vault never shows its own memory, so look at what it allocates.
      const allocated: Buffer[] = [];
      const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => {
        const made = Buffer.alloc(size);
        allocated.push(made);
        return made;
      });
      try {
        const vault = createVault({ maxEntries: 1 });
        vault.put('k', 'v1', bytes('value-one'));
        expect(allocated[0]?.toString()).toBe('value-one');
        if (how === 'evict') vault.evict('k');
        if (how === 'clear') vault.clear();
        if (how === 'same version again') vault.put('k', 'v1', bytes('value-one'));
        if (how === 'no room') vault.put('l', 'v1', bytes('another'));
        if (how === 'fourth version')
          for (const version of ['v2', 'v3', 'v4']) vault.put('k', version, bytes(version));
        expect(allocated[0]).toEqual(Buffer.alloc(9));
      } finally {
        allocate.mockRestore();
      }
    },
  );
});
