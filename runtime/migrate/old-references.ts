import { type ConfigPath, isRecord } from '../config/finding.ts';
import { isCredentialName } from '../secrets-audit/credentials.ts';
import { isHeader } from './header-keys.ts';
import { type Marker, markerOf } from './markers.ts';
import type { OldProviders } from './old-providers.ts';
import { isNamedCredential } from './named-credentials.ts';
import type { SecretRef } from './proposed-grants.ts';
import { isProtected } from './protected-texts.ts';

/** A use of a secret that is somewhere else already: a SecretRef, or the name of a variable where a credential would stand. */
export interface OldReference {
  readonly keys: ConfigPath;
  readonly ref: SecretRef;
  /** For one of `headers`: the value of the header, with {} for the secret. */
  readonly format?: string | undefined;
}

/** What stands for a secret, and leads to none that could be granted. */
export interface StandIn {
  readonly keys: ConfigPath;
  /** What it is, and what a person can do. */
  readonly what: string;
}

export interface OldReferences {
  readonly references: readonly OldReference[];
  readonly standIns: readonly StandIn[];
}

/** What an old config uses of secrets whose values are not in it. */
export function referencesIn(root: unknown, providers: OldProviders): OldReferences {
  const references: OldReference[] = [];
  const standIns: StandIn[] = [];
  const walk = (value: unknown, keys: ConfigPath): void => {
    if (isOurs(keys) || isProtected(keys, root)) return;
    if (typeof value === 'string') ofText(value, keys);
    else if (Array.isArray(value)) for (const [n, item] of value.entries()) walk(item, [...keys, n]);
    else if (isRecord(value)) {
      const { source, id, provider } = value;
      if (typeof source === 'string' && typeof id === 'string') ofSecretRef(keys, source, id, provider);
      else for (const [key, member] of Object.entries(value)) walk(member, [...keys, key]);
    }
  };
  const ofSecretRef = (keys: ConfigPath, source: string, id: string, provider: unknown): void => {
    const alias = providers.aliasOf(source, provider);
    if (alias !== undefined)
      references.push({ keys, ref: { provider: alias, id }, format: isHeader(keys) ? '{}' : undefined });
    else
      standIns.push({
        keys,
        what: 'is of a provider that is not taken: declare one that has it, and grant it',
      });
  };
  const ofText = (value: string, keys: ConfigPath): void => {
    const name = keys.findLast((key) => typeof key === 'string') ?? '';
    const marker = markerOf(value) ?? variableIn(value);
    if (marker?.kind === 'variable') {
      const { variable, fallback } = marker;
      // A word of capitals may be anything under another name.
      const isUse = isCredentialName(name) || (value.includes('$') && isCredentialName(variable));
      if (!isUse && !isHeader(keys)) return;
      const format = isHeader(keys) ? value.replace(/\$\{.*\}|^[^$]*$/s, '{}') : undefined;
      references.push({ keys, ref: { provider: providers.env, id: variable }, format });
      if (fallback === undefined) return;
      const what = `is the variable ${variable} now; its default value was dropped, so set the variable`;
      standIns.push({ keys, what });
    } else if (isCredentialName(name) && !SWITCH.test(value.trim()) && !isNamedCredential({ name, value })) {
      standIns.push({ keys, what: marker === undefined ? STAND_IN : ELSEWHERE });
    }
  };
  walk(root, []);
  return { references, standIns };
}

const STAND_IN =
  'only stands for a credential, as far as one can see: nothing of it was kept; grant the real one to the agents that need it';
const ELSEWHERE =
  'says where a secret is, and Holdfast cannot look there: declare a provider that has it, and grant it';

/** What is on or off, counts, or is not there. */
const SWITCH =
  /^(?:|true|false|yes|no|on|off|auto|required|optional|enabled|disabled|inherit|include|omit|same-origin|prompt|ask|\d{1,6})$/i;

/** `Bearer ${NAME}`, and what else is written around a variable. */
function variableIn(value: string): Marker | undefined {
  const [, variable] = /\$\{([A-Za-z_]\w*)\}/.exec(value) ?? [];
  return variable === undefined ? undefined : { kind: 'variable', variable };
}

/** A declaration of a provider, a grant of ours and what else stays as it is are no uses. */
function isOurs([first, ...keys]: ConfigPath): boolean {
  const stays = ['secrets', 'externalSecrets', 'threads', 'inspect'];
  return stays.includes(String(first)) || (first === 'agents' && keys.includes('secrets'));
}
