import { isMeantAsUrl, readPostgresUrl } from '../base/postgres-url.ts';
import { type ConfigPath, type Finding, property } from './finding.ts';
import { refFindings } from './grant-checks.ts';
import { printName } from './received.ts';

/** The keys that one type of store alone takes, the one that it cannot be without first, and what to write there. */
const KEYS_OF_TYPE = {
  sqlite: {
    keys: ['path', 'fsync', 'maxBytes', 'encryption'],
    expected: 'a file, such as "./data/agents.db"',
  },
  postgres: {
    keys: ['url', 'schema', 'tls'],
    expected: 'the secret that has the url of the database, such as "db/agents", or a url without a password',
  },
} as const;

const URL_PATH: ConfigPath = ['store', 'url'];

/** What the keys of the store must agree on, among each other and with the providers that are declared. */
export function storeFindings(root: unknown, customProviders: readonly string[]): Finding[] {
  const store = property(root, 'store');
  const path = ['store', 'encryption'];
  const encryption = property(store, 'encryption');
  const previous = property(encryption, 'previous');
  return [
    ...typeFindings(store),
    ...urlFindings(property(store, 'url'), root, customProviders),
    ...pairFindings(property(store, 'tls')),
    ...refFindings([...path, 'key'], property(encryption, 'key'), root, customProviders),
    ...(Array.isArray(previous) ? previous : []).flatMap((ref: unknown, index) =>
      refFindings([...path, 'previous', index], ref, root, customProviders),
    ),
  ];
}

function typeFindings(store: unknown): Finding[] {
  const type = property(store, 'type');
  // Of a type that does not exist nobody knows what was meant.
  if (type !== 'sqlite' && type !== 'postgres') return [];
  const other = type === 'sqlite' ? 'postgres' : 'sqlite';
  const { keys, expected } = KEYS_OF_TYPE[type];
  const [needed] = keys;
  const findings = KEYS_OF_TYPE[other].keys.flatMap((key): Finding[] => {
    if (property(store, key) === undefined) return [];
    const message = `${printName(key)} is for a store of the type "${other}", and this one has "${type}"; remove it, or change the type`;
    return [{ code: 'wrong-mode', path: ['store', key], at: 'key', message }];
  });
  if (property(store, needed) !== undefined) return findings;
  const message = `missing key ${printName(needed)} of the type "${type}"; expected ${expected}`;
  return [{ code: 'missing-key', path: ['store', needed], at: 'value', message }, ...findings];
}

/** Nothing of the url is in a message: it may have a password. */
function urlFindings(url: unknown, root: unknown, customProviders: readonly string[]): Finding[] {
  const invalid = (message: string): Finding[] => [
    { code: 'invalid-format', path: URL_PATH, at: 'value', message },
  ];
  if (typeof url !== 'string') return refFindings(URL_PATH, url, root, customProviders);
  if (/(?:^|\s)(?:host|hostaddr|dbname|user|password)\s*=/i.test(url))
    return invalid('write it as a url, like postgresql://user@host:5432/database');
  if (!isMeantAsUrl(url)) return refFindings(URL_PATH, url, root, customProviders);
  const read = readPostgresUrl(url);
  if (read.place === undefined) return invalid(`this is no url of a database: ${read.problems.join('; ')}`);
  if (read.place.password === undefined) return [];
  const message =
    'this url has a password, which is not for a config; store the url as a secret and write its name here, such as "db/agents", ' +
    'or the name of its variable with the provider "env"';
  return [{ code: 'password-in-url', path: URL_PATH, at: 'value', message }];
}

function pairFindings(tls: unknown): Finding[] {
  const [cert, key] = [property(tls, 'cert'), property(tls, 'key')];
  if ((cert === undefined) === (key === undefined)) return [];
  const missing = cert === undefined ? 'cert' : 'key';
  const message = `missing key ${printName(missing)}; a certificate and its key go together`;
  return [{ code: 'missing-key', path: ['store', 'tls', missing], at: 'value', message }];
}
