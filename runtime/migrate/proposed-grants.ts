import { type ConfigPath, property, valueAt } from '../config/finding.ts';
import { isFramingHeader } from '../config/grant-checks.ts';
import { type Grant, grantForms } from '../config/grant-schema.ts';
import { originOf } from '../config/grant-hosts.ts';
import { type KnownService, serviceOf, wordsOf } from './known-services.ts';
import { modelProvidersOf, type OldAgent } from './old-agents.ts';
import type { PlainCredential } from './old-files.ts';

export interface SecretRef {
  readonly provider: string;
  readonly id: string;
}

/** A secret that an old config uses, wherever its value is. */
export interface OldSecret {
  /** The names that lead to it, such as `models`, `providers`, `openai`, `apiKey`. */
  readonly names: readonly string[];
  /** Where it stands in the config; absent for a variable of `.env`. */
  readonly keys?: ConfigPath | undefined;
  readonly ref: SecretRef;
  /** Where it stands, for people: `openclaw.json:12`. */
  readonly place: string;
  /** Whether another value goes before it: nobody used this one. */
  readonly isUnused?: boolean;
  /** For one of `headers`: the value of the header, with {} for the secret. */
  readonly format?: string | undefined;
}

/** A grant that an agent gets, or what is missing for one. */
export interface Proposal {
  readonly secret: OldSecret;
  readonly label: string;
  /** The agents that used it, as far as the config tells. */
  readonly agents: readonly string[];
  /** Absent when the config does not tell which hosts it is for. */
  readonly grant?: Grant;
}

/** What the agents need of the secrets, of those that use them: it stands at the agent, or is of a provider of its model. */
export function proposalsFor(
  secrets: readonly OldSecret[],
  agents: readonly OldAgent[],
  root: unknown,
): Proposal[] {
  return secrets.map((secret) => {
    const service = serviceOf([...secret.names, secret.ref.id]);
    const users = agents.filter((agent) => uses(agent, secret, service?.[0], root)).map(({ name }) => name);
    const grant = grantOf(secret, service?.[1], root);
    return { secret, label: labelOf(secret.names), agents: users, ...(grant && { grant }) };
  });
}

function uses(
  agent: OldAgent,
  { keys, names, isUnused }: OldSecret,
  service: string | undefined,
  root: unknown,
): boolean {
  if (isUnused === true) return false;
  const standsThere =
    keys !== undefined && agent.form !== 'implied' && agent.path.every((key, n) => keys[n] === key);
  if (standsThere) return true;
  if (keys?.[0] === 'agents') return false;
  const providers = modelProvidersOf(agent, root);
  return providers.some((provider) => provider === service || names.includes(provider));
}

function grantOf(
  { keys = [], ref, format: ofHeader }: OldSecret,
  service: KnownService | undefined,
  root: unknown,
): Grant | undefined {
  // Beside `headers` stands what stands beside a credential elsewhere.
  const written = hostOf(valueAt(root, keys.slice(0, ofHeader === undefined ? -1 : -2)));
  const hosts = written === undefined ? service?.hosts : [written];
  if (hosts === undefined) return undefined;
  const { header, format } =
    ofHeader === undefined ? (service ?? {}) : { header: headerOf(keys), format: ofHeader };
  if (ofHeader !== undefined && (header === undefined || !grantForms.format.test(ofHeader))) return undefined;
  return {
    ref: { ...ref },
    mode: 'inject',
    hosts: [...hosts],
    methods: ['GET', 'POST'],
    ...(header && { header }),
    ...(format && { format }),
  };
}

/** The name of a header, if a grant may name it. */
function headerOf(keys: ConfigPath): string | undefined {
  const name = String(keys.at(-1));
  return grantForms.header.test(name) && !isFramingHeader(name) ? name : undefined;
}

/** The host of a `baseUrl` that stands beside a credential, if a grant may name it. */
function hostOf(beside: unknown): string | undefined {
  const written = ['baseUrl', 'baseURL', 'base_url', 'endpoint', 'url'].map((key) => property(beside, key));
  for (const one of written) {
    const url = typeof one === 'string' ? URL.parse(one) : null;
    if (url?.protocol === 'https:' && originOf(url.host) !== undefined) return url.host;
  }
  return undefined;
}

/** The last two names in small letters: `openai-api-key`. */
function labelOf(names: readonly string[]): string {
  const words = names.slice(-2).flatMap(wordsOf);
  return words.filter((word, n) => word !== 'env' && words.indexOf(word) === n).join('-') || 'secret';
}

/** Names of a plain credential, for labels and services. */
export function namesOf({ keys, path }: PlainCredential): string[] {
  const names = keys?.filter((key) => typeof key === 'string') ?? [path];
  return names.filter((name) => !['agents', 'list', 'entries'].includes(name));
}
