import { z } from 'zod';
import { flag, formed, integer, rate, text, meaning } from './fields.ts';
import { DEFAULT_PROVIDER_ALIAS } from './secrets-schema.ts';

const refExpected = 'a secret reference: "name", "name#field" or { id, provider?, jsonKey?, stage? }';

const refObjectSchema = z.strictObject({
  provider: text()
    .default(DEFAULT_PROVIDER_ALIAS)
    .register(...meaning('The alias of the provider: default is externalSecrets. Default: default.')),
  id: text().describe("The provider's name of the secret."),
  jsonKey: text()
    .optional()
    .register(
      ...meaning(
        'The field of a secret that is JSON: a name, names joined by dots, or a JSON pointer. Default: the whole secret.',
      ),
    ),
  stage: text()
    .optional()
    .register(...meaning('The version stage, such as AWSPREVIOUS. Default: the current version.')),
  role: text()
    .optional()
    .register(
      ...meaning("The identity to read it with: for AWS the ARN of an IAM role. Default: the host's own."),
    ),
  rotation: z
    .enum(['single-user', 'alternating-users'])
    .default('single-user')
    .register(
      ...meaning(
        'What a rotation does to the version before. single-user: it stops working, at times before the new one is ' +
          'current; alternating-users: it works until the next rotation. Default: single-user.',
      ),
    ),
});

const refTextSchema = text().regex(/^[^#]+(#.+)?$/, refExpected);

export const refSchema = z.union([refTextSchema, refObjectSchema]);

/** A secret that the host itself uses, in its current version. */
export const keyRefSchema = z.union([refTextSchema, refObjectSchema.omit({ rotation: true })]);

/** What a text must look like; what else it must be is checked in `grant-checks.ts`. */
export const grantForms = {
  host: /^(?:https?:\/\/)?(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i,
  path: /^\/(?:[^\s?#*\\]*|(?:[^\s?#*\\]*\/)?\*)$/,
  address: /^[\da-f:.]+(?:\/\d{1,3})?$/i,
  header: /^[!#$%&'*+.^_`|~\w-]+$/,
  format: /^(?:(?!\{\})[\x20-\x7e])*\{\}(?:(?!\{\})[\x20-\x7e])*$/,
} as const;

/** The largest answer that `secretFetch` may be allowed: it is held in memory as a whole. */
const LARGEST_RESPONSE = 67_108_864;

/** The largest body that may be allowed to stream: nothing is held of it, so this is only where a number is no typing error. */
const LARGEST_STREAM = 1_099_511_627_776;

/** What lets an agent use one secret. Which keys a mode takes is checked in `grant-checks.ts`. */
export const grantSchema = z
  .strictObject({
    ref: refSchema.describe(
      'The secret: name, name#field, or an object with id and, optionally, provider, jsonKey, stage, role and rotation.',
    ),
    mode: z
      .enum(['inject', 'capability', 'reveal'])
      .register(
        ...meaning(
          'How the secret is used. inject: the host puts it into a header of the requests of secretFetch and boundFetch; capability: ' +
            'functions of the host use it; reveal: the agent gets the value itself.',
        ),
      ),
    required: flag()
      .default(false)
      .register(...meaning('Whether the runtime refuses to start without the secret. Default: false.')),
    capabilities: z
      .array(text())
      .readonly()
      .optional()
      .register(
        ...meaning(
          'For capability: the functions that may use the secret for this agent, of defineCapability, or sign.hmac or ' +
            'sign.jwt. Required there.',
        ),
      ),
    hosts: z
      .array(
        formed(
          grantForms.host,
          'an exact host such as "api.example.com" or "api.example.com:8443", without wildcard or path',
        ),
      )
      .min(1, 'at least one host')
      .readonly()
      .optional()
      .register(
        ...meaning(
          'For inject: the hosts that get the secret, exact, with the port where it is not 443. https; http:// only before ' +
            'a loopback address. Required there.',
        ),
      ),
    methods: z
      .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
      .min(1, 'at least one method')
      .readonly()
      .default(['GET'])
      .register(...meaning('For inject: the methods of requests. Default: GET.')),
    paths: z
      .array(formed(grantForms.path, 'a path such as "/v1/charges", or "/v1/*" for all below'))
      .min(1, 'at least one path')
      .readonly()
      .default(['/*'])
      .register(
        ...meaning(
          'For inject: the paths of requests, exact, or with /* at the end for all below. Default: /*.',
        ),
      ),
    header: formed(grantForms.header, 'the name of a header')
      .default('Authorization')
      .register(...meaning('For inject: the header that carries the secret. Default: Authorization.')),
    format: formed(grantForms.format, 'a text with {} once, for the secret')
      .default('Bearer {}')
      .register(
        ...meaning('For inject: the value of the header, with {} for the secret. Default: Bearer {}.'),
      ),
    rate: rate()
      .optional()
      .register(
        ...meaning(
          'For inject: how many requests may begin in a second, minute or hour, of all instances of the agent together. ' +
            'Default: no limit.',
        ),
      ),
    privateAddresses: z
      .array(formed(grantForms.address, 'an address such as "10.0.0.7" or "10.0.0.0/8"'))
      .readonly()
      .default([])
      .register(
        ...meaning(
          'For inject: addresses that are not public (private, loopback, link-local) and that hosts may lead to all the ' +
            'same. Default: none.',
        ),
      ),
    maxResponseBytes: integer(1, LARGEST_RESPONSE)
      .default(1_048_576)
      .register(
        ...meaning(
          'For inject: an answer to secretFetch with a larger body, in bytes, is refused. Default: 1048576.',
        ),
      ),
    // What Anthropic's API takes at most.
    maxRequestBytes: integer(1, LARGEST_STREAM)
      .default(33_554_432)
      .register(
        ...meaning(
          'For inject: a request of boundFetch with a larger body, in bytes, is refused. Default: 33554432.',
        ),
      ),
    // Twice the largest file that OpenAI's API keeps.
    maxStreamBytes: integer(1, LARGEST_STREAM)
      .default(1_073_741_824)
      .register(
        ...meaning(
          'For inject: an answer to boundFetch with a larger body, in bytes, is cut off with an error. Default: 1073741824.',
        ),
      ),
    // That of Node's own fetch.
    idleTimeoutMs: integer(0, 86_400_000)
      .default(300_000)
      .register(
        ...meaning(
          'For inject: milliseconds for which a service may be silent to boundFetch, before its answer and within it, and ' +
            'for which a request may wait for a connection; an agent may allow less. 0: for ever. Default: 300000.',
        ),
      ),
    capture: flag()
      .default(false)
      .register(
        ...meaning(
          'For inject: whether spans of calls of models have the prompts and the answers, for everybody who sees them. ' +
            'Default: false.',
        ),
      ),
    unsafe: z
      .literal(true)
      .optional()
      .register(...meaning('For reveal: says that the agent is to have the value itself. Required there.')),
  })
  .register(
    ...meaning('A grant: which secret, and how the agent may use it. Nothing is granted unless written.'),
  );

/** A grant, which lets an agent use one secret; `ref` is `'name'`, `'name#field'` or an object. */
export interface Grant extends z.input<typeof grantSchema> {}
