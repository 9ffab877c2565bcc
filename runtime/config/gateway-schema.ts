import { isIP } from 'node:net';
import { z } from 'zod';
import { isLoopback } from '../base/loopback.ts';
import { entriesOf, type Finding, property } from './finding.ts';
import { flag, integer, namedMap, text, timeSpan, meaning } from './fields.ts';
import { printName } from './received.ts';
import { didYouMean } from './suggest.ts';

/** What a token may be for. */
export const GATEWAY_SCOPES = ['read', 'send', 'manage', 'inspect', 'operate', 'admin'] as const;

const tokenSchema = z
  .strictObject({
    sha256: z
      .string('the SHA-256 of a token, 64 hex digits')
      .regex(/^[0-9a-f]{64}$/, 'the SHA-256 of a token, 64 hex digits: holdfast gateway token makes one')
      .register(
        ...meaning(
          'The SHA-256 of the token in hex; holdfast gateway token makes both. The token itself is not stored.',
        ),
      ),
    agents: z
      .array(text())
      .min(1, 'at least one agent, or "*" for all')
      .readonly()
      .default(['*'])
      .register(...meaning('The agents that it is for; * is all. Default: *.')),
    allow: z
      .array(z.enum(GATEWAY_SCOPES))
      .min(1, 'at least one of read, send, manage, inspect, operate, admin')
      .readonly()
      .default(['read', 'send'])
      .register(
        ...meaning(
          'What it may do. read: snapshots and streams; send: events and asks, and with ?activate=true the start of the instance they are for; ' +
            'manage: start and stop instances; inspect: a link to the page of the inspector, with agents: ["*"]; operate: one on ' +
            'which everything can be done that the page offers; admin: inspect, ' +
            'status, dead letters, restart and stop of the gateway. Default: read, send.',
        ),
      ),
  })
  .register(...meaning('One client: its token, and what it may do.'));

const ORIGIN = 'an origin as browsers send it, such as https://app.example.com: no path, no usual port';

const corsSchema = z
  .strictObject({
    origins: z
      .array(
        z
          .string(ORIGIN)
          .regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/, ORIGIN)
          .refine(isOrigin, ORIGIN),
      )
      .readonly()
      .default([])
      .register(
        ...meaning(
          'Origins of pages that may call it, each compared as a whole; there is no wildcard. Default: [].',
        ),
      ),
  })
  .register(...meaning('Which pages of other origins a browser lets read answers. Default: none.'));

const limitsSchema = z
  .strictObject({
    keptAnswerBytes: integer(0)
      .default(67_108_864)
      .register(
        ...meaning(
          'Bytes of answers that are kept for requests that come again with their Idempotency-Key, of all tokens together; beyond, ' +
            'those of the token with the most go, the oldest first. Default: 67108864.',
        ),
      ),
    streams: integer(1)
      .default(100)
      .register(
        ...meaning(
          'Streams that one token may have open, and as many answers that are being written; the user who started it, any number. Default: 100.',
        ),
      ),
    activatedInstances: integer(1)
      .default(1000)
      .register(
        ...meaning(
          'Instances that one token without manage may have started by ?activate=true and that exist. Default: 1000.',
        ),
      ),
  })
  .register(...meaning('What tokens may take of the memory of the service. Default: as each says.'));

export const gatewaySchema = z
  .strictObject({
    host: text()
      .default('127.0.0.1')
      .register(...meaning('The address it listens at. Default: 127.0.0.1, this machine alone.')),
    port: integer(0, 65_535)
      .default(18_789)
      .register(...meaning('The port it listens at; 0 is a free one. Default: 18789.')),
    tokens: namedMap(tokenSchema)
      .optional()
      .register(...meaning('Tokens by name, for others than the user who started it. Default: none.')),
    tls: z
      .strictObject({
        cert: text().describe('The file of the certificate with its chain, PEM.'),
        key: text().describe('The file of its key, PEM.'),
      })
      .optional()
      .register(...meaning('Serve https. Default: http.')),
    plaintext: flag()
      .default(false)
      .register(
        ...meaning(
          'Whether it may listen at another address than that of this machine without tls: behind a proxy that has it. Default: false.',
        ),
      ),
    maxBodyBytes: integer(1)
      .default(1_048_576)
      .register(...meaning('A request with a larger body, in bytes, is refused. Default: 1048576.')),
    requestTimeoutMs: timeSpan(1)
      .default(30_000)
      .register(
        ...meaning(
          'A request is answered within this many milliseconds, if need be with an error. Default: 30000.',
        ),
      ),
    requestsPerSecond: integer(1, 1_000_000)
      .optional()
      .register(...meaning('How many requests of one token may begin in a second. Default: no limit.')),
    limits: limitsSchema.prefault({}),
    cors: corsSchema.optional(),
    reload: flag()
      .default(true)
      .register(...meaning('Whether a change of the config takes effect when it is saved. Default: true.')),
    options: text()
      .optional()
      .register(
        ...meaning(
          'A module whose default export is RuntimeOptions: capabilities, providers, a store. Relative to the config. Default: none.',
        ),
      ),
  })
  .register(...meaning('How holdfast gateway serves the agents over HTTP. Default: on 127.0.0.1:18789.'));

/** How `holdfast gateway` serves the agents; see `docs/gateway.md`. */
export interface GatewayConfig extends z.input<typeof gatewaySchema> {}

/** The same, with all defaults. */
export type ResolvedGateway = z.output<typeof gatewaySchema>;

/** As a browser writes it; of a scheme that is none of the web's, as it stands. */
function isOrigin(text: string): boolean {
  const origin = URL.parse(text)?.origin;
  return origin === text || (origin === 'null' && text === text.toLowerCase());
}

/** What is no address to listen at, as people write it elsewhere. */
function whyNoHost(host: string): string | undefined {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(host)?.[1];
  if (bare !== undefined && isIP(bare) === 6) return `write the address without brackets: ${printName(bare)}`;
  if (isIP(host) === 0 && /[^\w.-]/.test(host)) {
    return 'expected the address or the name of a host alone; the port is "port"';
  }
  return undefined;
}

/** What the gateway and the rest of a config must agree on. */
export function gatewayFindings(root: unknown): Finding[] {
  const gateway = property(root, 'gateway');
  const host = property(gateway, 'host');
  const findings: Finding[] = [];
  const isOpen = property(gateway, 'tls') !== undefined || property(gateway, 'plaintext') === true;
  const wrong = typeof host === 'string' ? whyNoHost(host) : undefined;
  if (wrong !== undefined) {
    findings.push({ code: 'invalid-format', path: ['gateway', 'host'], at: 'value', message: wrong });
  } else if (typeof host === 'string' && host !== '' && !isLoopback(host) && !isOpen) {
    const message =
      'other machines would send tokens in plain text; write "tls", or "plaintext": true behind a proxy that has it';
    findings.push({ code: 'gateway-exposed', path: ['gateway', 'host'], at: 'value', message });
  }
  const agents = entriesOf(property(root, 'agents')).map(([name]) => name);
  for (const [name, token] of entriesOf(property(gateway, 'tokens'))) {
    const named = property(token, 'agents');
    if (!Array.isArray(named)) continue;
    for (const [n, agent] of named.entries()) {
      if (typeof agent !== 'string' || agent === '*' || agents.includes(agent)) continue;
      const message = `no agent has the name ${printName(agent)}${didYouMean(agent, agents)}`;
      findings.push({
        code: 'unknown-agent',
        path: ['gateway', 'tokens', name, 'agents', n],
        at: 'value',
        message,
      });
    }
  }
  return findings;
}
