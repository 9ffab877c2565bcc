import {
  createMemoryProvider as createProvider,
  type MemoryFaultOptions,
  type MemoryHangOptions,
  type MemoryProvider,
  type MemoryProviderOptions,
} from '../../providers/memory.ts';
import { checkCall, flag, name, oneOf, string, type Rule, type Rules } from '../base/call-check.ts';

const options: Rules<MemoryProviderOptions> = {
  name,
  batch: {
    what: 'a whole number from 0 on',
    is: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
  push: flag,
};

const ofFault: Rules<MemoryFaultOptions> = {
  call: oneOf(['describe', 'fetch', 'fetchMany']),
  times: { what: 'a number', is: (value) => typeof value === 'number' && !Number.isNaN(value) },
};

const ofHang: Rules<MemoryHangOptions> = { ...ofFault, ignoreAbort: flag };

const aValue: Rule = {
  what: 'text or bytes',
  is: (value) => string.is(value) || value instanceof Uint8Array,
};

const maybeName: Rule = { what: 'a name, or nothing', is: (value) => value === undefined || name.is(value) };

const aFailure: Rule = {
  what: 'the class of a failure, or an Error',
  is: (value) => name.is(value) || value instanceof Error,
};

/**
 * Creates a custom provider for tests. Pass it in `RuntimeOptions.providers`.
 *
 * @throws {HoldfastError} `OPTION_INVALID`, as its methods do
 */
export function createMemoryProvider(given?: MemoryProviderOptions): MemoryProvider {
  const provider = createProvider(checkCall('createMemoryProvider()', {}, given, options));
  const plain = { ...provider };
  const checked: Pick<MemoryProvider, 'set' | 'rotate' | 'remove' | 'fail' | 'hang'> = {
    set(id, value, versionId) {
      checkCall('provider.set()', {
        id: [id, name],
        value: [value, aValue],
        versionId: [versionId, maybeName],
      });
      return plain.set(id, value, versionId);
    },
    rotate(id, value, versionId) {
      checkCall('provider.rotate()', {
        id: [id, name],
        value: [value, aValue],
        versionId: [versionId, maybeName],
      });
      return plain.rotate(id, value, versionId);
    },
    remove(id) {
      checkCall('provider.remove()', { id: [id, name] });
      plain.remove(id);
    },
    fail: (how, given) =>
      plain.fail(how, checkCall('provider.fail()', { how: [how, aFailure] }, given, ofFault)),
    hang: (given) => plain.hang(checkCall('provider.hang()', {}, given, ofHang)),
  };
  return Object.assign(provider, checked);
}
