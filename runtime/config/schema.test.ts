import { describe, expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import {
  agent,
  configSchema,
  defineConfig,
  type AgentConfig,
  type ExternalSecrets,
  type Grant,
  type PoolConfig,
  type ProviderConfig,
  type RuntimeConfig,
  type Supervision,
} from './index.ts';
import type tradingAgent from './fixtures/agents/trading-agent.ts';

type Logic = typeof tradingAgent;

describe('the types of a config', () => {
  test('are those of the schema', () => {
    expectTypeOf<RuntimeConfig>().toExtend<z.input<typeof configSchema>>();
    // Which keys a type of store or a way of a cluster takes is checked beside the schema.
    expectTypeOf<Omit<z.input<typeof configSchema>, 'store' | 'cluster'>>().toExtend<
      Omit<RuntimeConfig, 'store' | 'cluster'>
    >();
    expectTypeOf<keyof RuntimeConfig>().toEqualTypeOf<keyof z.input<typeof configSchema>>();
  });

  test('ask for little', () => {
    expectTypeOf<{ type: 'thread-bound'; threadId: string; maxThreads: number }>().toExtend<AgentConfig>();
    expectTypeOf<object>().toExtend<PoolConfig>();
    expectTypeOf<object>().toExtend<Supervision>();
    expectTypeOf<{ provider: string }>().toExtend<ExternalSecrets>();
    expectTypeOf<{ ref: string; mode: 'capability'; capabilities: readonly string[] }>().toExtend<Grant>();
  });

  test('take undefined for what is optional', () => {
    const module: URL | undefined = undefined;
    const config: AgentConfig = {
      type: 'thread-bound',
      threadId: 'p',
      maxThreads: 1,
      module,
      mailbox: undefined,
    };
    expect(configSchema.safeParse({ agents: { a: config }, threads: undefined }).success).toBe(true);
  });

  test('refuse what is wrong', () => {
    // @ts-expect-error a typo
    const typo: AgentConfig = { type: 'thread-bound', threadId: 'p', maxThreads: 1, mirorr: 'all' };
    // @ts-expect-error an unknown value
    const value: AgentConfig = { type: 'thread-bound', threadId: 'p', maxThreads: 1, mirror: 'newest' };
    // @ts-expect-error a missing key
    const missing: AgentConfig = { type: 'thread-bound', threadId: 'p' };
    for (const wrong of [typo, value, missing])
      expect(configSchema.safeParse({ agents: { wrong } }).success).toBe(false);
  });

  test('let a provider have options of its own', () => {
    const provider: ProviderConfig = { provider: 'my-vault', mount: 'kv', retries: 3 };
    expectTypeOf(provider['mount']).toEqualTypeOf<unknown>();
    const parsed = configSchema.parse({ agents: {}, externalSecrets: provider });
    expect(parsed.externalSecrets).toEqual({
      provider: 'my-vault',
      mount: 'kv',
      retries: 3,
      cacheTTL: 300,
      maxStaleMs: 900_000,
    });
  });
});

describe('agent', () => {
  test('returns the config unchanged and carries the type of the logic', () => {
    const config: AgentConfig = { type: 'thread-bound', threadId: 'p', maxThreads: 1 };
    const typed = agent<Logic>(config);
    expect(typed).toBe(config);
    expect(typed).not.toHaveProperty('logic');
    expectTypeOf(typed).toExtend<AgentConfig>();
    expectTypeOf<NonNullable<typeof typed.logic>>().toEqualTypeOf<Logic>();
  });
});

describe('defineConfig', () => {
  test('returns the config unchanged and keeps names and literals', () => {
    const written = {
      externalSecrets: { provider: 'aws-secrets-manager', region: 'ap-east-1' },
      agents: {
        desk: agent<Logic>({ type: 'thread-bound', threadId: 'desks', maxThreads: 2 }),
        audit: {
          type: 'thread-bound',
          threadId: 'audits',
          maxThreads: 1,
          secrets: { key: { ref: 'prod/key', mode: 'capability', capabilities: ['sign'] } },
        },
      },
      threads: { desks: { permissions: { read: ['./data'] } } },
    } as const satisfies RuntimeConfig;
    expect(defineConfig(written)).toBe(written);

    const config = defineConfig({
      agents: {
        desk: agent<Logic>({ type: 'thread-bound', threadId: 'desks', maxThreads: 2 }),
        audit: {
          type: 'thread-bound',
          threadId: 'audits',
          maxThreads: 1,
          module: new URL('./audit.ts', import.meta.url),
          secrets: { key: { ref: 'prod/key', mode: 'capability', capabilities: ['sign'] } },
        },
      },
      threads: { desks: { permissions: { read: ['./data'] } } },
    });
    expectTypeOf<keyof typeof config.agents>().toEqualTypeOf<'desk' | 'audit'>();
    expectTypeOf<typeof config.agents.audit.threadId>().toEqualTypeOf<'audits'>();
    expectTypeOf<NonNullable<typeof config.agents.desk.logic>>().toEqualTypeOf<Logic>();
  });

  test('does not take what is no config', () => {
    // @ts-expect-error maxThreads is missing
    expect(defineConfig({ agents: { a: { type: 'thread-bound', threadId: 'p' } } })).toBeDefined();
    // @ts-expect-error agents are missing
    expect(defineConfig({ threads: {} })).toBeDefined();
  });
});
