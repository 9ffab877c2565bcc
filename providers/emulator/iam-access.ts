import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { accountId, ServiceError } from './secrets-manager-store.ts';

/** One statement of an IAM policy. `Action` and `Resource` take `*` and `?`; anything else than these keys is refused. */
export interface IamStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  /** Only `StringEquals`, and of that only the keys an operation sets: `kms:ViaService`. */
  readonly Condition?: { readonly StringEquals: Readonly<Record<string, string | readonly string[]>> };
}

/** A policy as one writes it for IAM. */
export interface IamPolicy {
  readonly Version?: string;
  readonly Statement: IamStatement | readonly IamStatement[];
}

/** Made-up credentials of the emulator; those of a role have a session token. */
export interface EmulatedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Whoever sent a request. */
export interface Principal {
  readonly arn: string;
  /** Whether it may: a denial wins, no statement is a denial. `context` is what conditions look at. */
  allows(action: string, resource: string, context?: Readonly<Record<string, string>>): boolean;
  /** @throws {ServiceError} `AccessDeniedException`, with the words of the service */
  require(action: string, resource: string, context?: Readonly<Record<string, string>>): void;
}

/** Who may do what in the emulated account. */
export interface Access {
  /** May do everything. */
  readonly credentials: EmulatedCredentials;
  createUser(policy: IamPolicy): EmulatedCredentials;
  /** Makes the role, or gives it another policy. Returns its ARN. */
  createRole(name: string, policy: IamPolicy): string;
  assumeRole(caller: Principal, arn: string, session: string, seconds: number): AssumedRole;
  /** Ends all credentials of roles now: `ExpiredTokenException`. A role can be assumed again. */
  expireSessions(): void;
  /** By access key and session token. @throws {ServiceError} when there is no such key, or no longer */
  authenticate(headers: IncomingHttpHeaders): Principal;
  /** Forgets all but {@link credentials}. */
  clear(): void;
}

/** What AssumeRole answers. */
export interface AssumedRole {
  readonly arn: string;
  readonly credentials: EmulatedCredentials & { readonly sessionToken: string };
  readonly expiration: Date;
}

interface Key {
  readonly principal: Principal;
  readonly sessionToken?: string;
  expiresAt: number;
}

const everything: IamPolicy = { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } };

/** @param now milliseconds since the epoch */
export function createAccess(now: () => number): Access {
  const keys = new Map<string, Key>();
  const roles = new Map<string, IamPolicy>();

  const issue = (prefix: string, key: Key): EmulatedCredentials => {
    const accessKeyId = `${prefix}${randomBytes(8).toString('hex').toUpperCase()}`;
    keys.set(accessKeyId, key);
    return { accessKeyId, secretAccessKey: randomBytes(30).toString('base64') };
  };
  const root = {
    principal: createPrincipal(`arn:aws:iam::${accountId}:root`, () => everything),
    expiresAt: Infinity,
  };
  const credentials = issue('AKIA', root);

  return {
    credentials,
    createUser(policy) {
      const statements = checked(policy);
      const arn = `arn:aws:iam::${accountId}:user/user-${keys.size}`;
      return issue('AKIA', { principal: createPrincipal(arn, () => statements), expiresAt: Infinity });
    },
    createRole(name, policy) {
      const arn = `arn:aws:iam::${accountId}:role/${name}`;
      roles.set(arn, checked(policy));
      return arn;
    },
    assumeRole(caller, arn, session, seconds) {
      if (!roles.has(arn) || !caller.allows('sts:AssumeRole', arn)) {
        throw new ServiceError(
          'AccessDenied',
          `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
          403,
        );
      }
      const assumed = `arn:aws:sts::${accountId}:assumed-role/${arn.split('/').at(-1)}/${session}`;
      const sessionToken = randomBytes(60).toString('base64');
      const expiresAt = now() + seconds * 1000;
      // Looked up at each request, as in IAM: another policy holds for sessions that exist.
      const principal = createPrincipal(assumed, () => roles.get(arn) ?? { Statement: [] });
      const issued = issue('ASIA', { principal, sessionToken, expiresAt });
      return { arn: assumed, credentials: { ...issued, sessionToken }, expiration: new Date(expiresAt) };
    },
    expireSessions() {
      for (const key of keys.values()) if (key.sessionToken !== undefined) key.expiresAt = -Infinity;
    },
    authenticate(headers) {
      const used = /Credential=([^/,\s]+)/.exec(headers.authorization ?? '')?.[1];
      if (used === undefined)
        throw new ServiceError('MissingAuthenticationTokenException', 'Missing Authentication Token');
      const key = keys.get(used);
      if (key === undefined || key.sessionToken !== headers['x-amz-security-token']) {
        throw new ServiceError(
          'UnrecognizedClientException',
          'The security token included in the request is invalid.',
        );
      }
      if (key.expiresAt <= now()) {
        throw new ServiceError(
          'ExpiredTokenException',
          'The security token included in the request is expired',
        );
      }
      return key.principal;
    },
    clear() {
      keys.clear();
      keys.set(credentials.accessKeyId, root);
      roles.clear();
    },
  };
}

function createPrincipal(arn: string, policy: () => IamPolicy): Principal {
  const allows: Principal['allows'] = (action, resource, context = {}) => {
    const applying = list(policy().Statement).filter((each) => applies(each, action, resource, context));
    return applying.length > 0 && applying.every(({ Effect }) => Effect === 'Allow');
  };
  return {
    arn,
    allows,
    require(action, resource, context) {
      if (allows(action, resource, context)) return;
      throw new ServiceError(
        'AccessDeniedException',
        `User: ${arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based ` +
          `policy allows the ${action} action`,
      );
    },
  };
}

function applies(
  statement: IamStatement,
  action: string,
  resource: string,
  context: Readonly<Record<string, string>>,
): boolean {
  const conditions = Object.entries(statement.Condition?.StringEquals ?? {});
  return (
    list(statement.Action).some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
    list(statement.Resource).some((pattern) => matches(pattern, resource)) &&
    conditions.every(([key, values]) => list(values).includes(context[key] ?? ''))
  );
}

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}

function list<T extends object | string>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

const emulated = new Set(['Sid', 'Effect', 'Action', 'Resource', 'Condition']);

/** A statement that would be understood in half must not pass for a policy that was tried. */
function checked(policy: IamPolicy): IamPolicy {
  for (const statement of list(policy.Statement)) {
    const unknown = [
      ...Object.keys(statement).filter((key) => !emulated.has(key)),
      ...Object.keys(statement.Condition ?? {}).filter((operator) => operator !== 'StringEquals'),
    ];
    if (unknown.length > 0)
      throw new TypeError(`The emulator does not know ${unknown.join(', ')} in a policy.`);
    if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny')
      throw new TypeError('The Effect of a statement is Allow or Deny.');
  }
  return policy;
}
