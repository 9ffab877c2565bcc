import { isIP } from 'node:net';
import { builtinProviders } from '../../providers/builtin-providers.ts';
import { type ConfigPath, entriesOf, type Finding, isRecord, property } from './finding.ts';
import { grantForms } from './grant-schema.ts';
import { isLoopbackOrigin, originOf } from './grant-hosts.ts';
import { printName } from './received.ts';
import { DEFAULT_PROVIDER_ALIAS } from './secrets-schema.ts';
import { didYouMean } from './suggest.ts';

const INJECT = [
  'hosts',
  'methods',
  'paths',
  'header',
  'format',
  'rate',
  'privateAddresses',
  'maxResponseBytes',
  'maxRequestBytes',
  'maxStreamBytes',
  'idleTimeoutMs',
  'capture',
];

/** The keys that one mode alone takes. */
const KEYS_OF_MODE: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['inject', INJECT],
  ['capability', ['capabilities']],
  ['reveal', ['unsafe']],
]);

/** What a mode cannot be without, and what to write. */
const NEEDED: ReadonlyMap<unknown, readonly [key: string, expected: string]> = new Map([
  ['inject', ['hosts', 'the exact hosts that get the secret, such as ["api.example.com"]']],
  ['capability', ['capabilities', 'the names of the functions that may use the secret']],
  ['reveal', ['unsafe', 'true, if this agent is really to have the value itself']],
]);

/** Headers that belong to the connection, or to the message itself: nothing of a secret goes there. */
const FRAMING =
  /^(?:host|connection|content-length|content-encoding|transfer-encoding|te|trailer|upgrade|keep-alive|expect|date|via|proxy-.*|sec-.*|:.*)$/i;

export function isFramingHeader(name: string): boolean {
  return FRAMING.test(name);
}

/** What the parts of each grant must agree on, and with the providers that are declared. */
export function grantFindings(root: unknown, customProviders: readonly string[]): Finding[] {
  return entriesOf(property(root, 'agents')).flatMap(([agent, config]) =>
    entriesOf(property(config, 'secrets')).flatMap(([label, grant]): Finding[] => {
      const path: ConfigPath = ['agents', agent, 'secrets', label];
      if (!isRecord(grant)) return [];
      return findingsOf(path, grant).concat(
        refFindings([...path, 'ref'], grant['ref'], root, customProviders),
      );
    }),
  );
}

/** What a secret reference at `path` must agree on with the providers that are declared. */
export function refFindings(
  path: ConfigPath,
  ref: unknown,
  root: unknown,
  customProviders: readonly string[],
): Finding[] {
  const aliases = entriesOf(property(property(root, 'secrets'), 'providers')).map(([alias]) => alias);
  if (property(root, 'externalSecrets') !== undefined) aliases.push(DEFAULT_PROVIDER_ALIAS);
  return providerFindings(path, ref, aliases).concat(placeFindings(path, ref, root, customProviders));
}

function findingsOf(path: ConfigPath, grant: Readonly<Record<string, unknown>>): Finding[] {
  return [
    ...modeFindings(path, grant),
    ...hostFindings(path, grant['hosts']),
    ...pathFindings(path, grant['paths']),
    ...addressFindings(path, grant['privateAddresses']),
    ...headerFindings(path, grant['header']),
  ];
}

function providerFindings(path: ConfigPath, ref: unknown, aliases: readonly string[]): Finding[] {
  if (typeof ref !== 'string' && !isRecord(ref)) return [];
  const written = property(ref, 'provider');
  if (written !== undefined && (typeof written !== 'string' || written === '')) return [];
  const alias = written ?? DEFAULT_PROVIDER_ALIAS;
  if (aliases.includes(alias)) return [];
  const at = [...path, ...(written === undefined ? [] : ['provider'])];
  const message =
    alias === DEFAULT_PROVIDER_ALIAS
      ? 'this secret comes from the provider "default", which is not declared; add externalSecrets'
      : `this provider is not declared; declare it in secrets.providers${didYouMean(alias, aliases)}`;
  return [{ code: 'unknown-provider', path: at, at: 'value', message }];
}

/** What the provider that is declared has against the id, such as an AWS region that is not its own. */
function placeFindings(
  path: ConfigPath,
  ref: unknown,
  root: unknown,
  customProviders: readonly string[],
): Finding[] {
  const alias = property(ref, 'provider') ?? DEFAULT_PROVIDER_ALIAS;
  const id = typeof ref === 'string' ? ref.replace(/#.*$/s, '') : property(ref, 'id');
  if (typeof alias !== 'string' || typeof id !== 'string') return [];
  const declared =
    alias === DEFAULT_PROVIDER_ALIAS
      ? property(root, 'externalSecrets')
      : property(property(property(root, 'secrets'), 'providers'), alias);
  const provider = property(declared, 'provider');
  if (!isRecord(declared) || typeof provider !== 'string' || customProviders.includes(provider)) return [];
  const message = builtinProviders.get(provider)?.refProblem?.(declared, id);
  if (message === undefined) return [];
  const at = typeof ref === 'string' ? [] : ['id'];
  return [{ code: 'secret-elsewhere', path: [...path, ...at], at: 'value', message }];
}

function modeFindings(path: ConfigPath, grant: Readonly<Record<string, unknown>>): Finding[] {
  const { mode } = grant;
  const needed = NEEDED.get(mode);
  // Of a mode that does not exist nobody knows what was meant.
  if (needed === undefined) return [];
  const findings: Finding[] = [];
  const [key, expected] = needed;
  if (grant[key] === undefined) {
    const message = `missing key ${printName(key)} of the mode "${String(mode)}"; expected ${expected}`;
    findings.push({ code: 'missing-key', path: [...path, key], at: 'value', message });
  }
  for (const [other, keys] of KEYS_OF_MODE) {
    if (other === mode) continue;
    for (const key of keys.filter((name) => grant[name] !== undefined)) {
      const message = `${printName(key)} is for grants of the mode "${String(other)}", and this one has "${String(mode)}"; remove it, or change the mode`;
      findings.push({ code: 'wrong-mode', path: [...path, key], at: 'key', message });
    }
  }
  return findings;
}

function hostFindings(path: ConfigPath, hosts: unknown): Finding[] {
  return textsOf(hosts, grantForms.host).flatMap(([index, host]) => {
    const origin = originOf(host);
    const at = [...path, 'hosts', index];
    if (origin === undefined)
      return [invalid(at, 'this is not a host; write it as in a URL, without a path')];
    if (origin.startsWith('https:') || isLoopbackOrigin(origin)) return [];
    return [invalid(at, 'plain http is for 127.0.0.1, [::1] and localhost only; use https')];
  });
}

function pathFindings(path: ConfigPath, paths: unknown): Finding[] {
  return textsOf(paths, grantForms.path).flatMap(([index, pattern]) => {
    const sent = URL.parse(`https://h${pattern}`)?.pathname;
    if (sent === pattern) return [];
    return [invalid([...path, 'paths', index], 'write the path as it is sent: encoded, without "." or ".."')];
  });
}

function addressFindings(path: ConfigPath, addresses: unknown): Finding[] {
  return textsOf(addresses, grantForms.address).flatMap(([index, written]) => {
    const [address = '', prefix] = written.split('/');
    const family = isIP(address);
    const longest = family === 6 ? 128 : 32;
    if (family !== 0 && (prefix === undefined || Number(prefix) <= longest)) return [];
    return [
      invalid(
        [...path, 'privateAddresses', index],
        'this is neither an address nor a network such as "10.0.0.0/8"',
      ),
    ];
  });
}

function headerFindings(path: ConfigPath, header: unknown): Finding[] {
  if (typeof header !== 'string' || !isFramingHeader(header)) return [];
  return [invalid([...path, 'header'], 'this header belongs to the connection; choose another')];
}

function invalid(path: ConfigPath, message: string): Finding {
  return { code: 'invalid-format', path, at: 'value', message };
}

/** The texts of a list that look right; all else is the schema's business. */
function textsOf(list: unknown, form: RegExp): [index: number, text: string][] {
  if (!Array.isArray(list)) return [];
  return [...list.entries()].filter(
    (entry): entry is [number, string] => typeof entry[1] === 'string' && form.test(entry[1]),
  );
}
