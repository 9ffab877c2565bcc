import { expect, onTestFinished, test } from 'vitest';
import { face } from './fixtures/face.ts';
import { digestOf, newToken } from './token-access.ts';
import { errorBody } from './http-error.ts';
import { openApiDocument } from './open-api.ts';

interface Schema {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

interface Operation {
  readonly responses: {
    readonly default?: { readonly headers: Readonly<Record<string, { readonly $ref: string }>> };
  };
}

const document = openApiDocument() as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: { readonly Error: Schema };
    readonly headers: Readonly<Record<string, object>>;
  };
};

test('the document describes an error as the gateway answers it', () => {
  const { error } = errorBody({ code: 'MAILBOX_FULL', message: 'later', retryable: true });
  const described = document.components.schemas.Error.properties['error'];
  expect(Object.keys(described?.properties ?? {})).toEqual([...Object.keys(error), 'issues']);
  expect(described?.required).toEqual(Object.keys(error));
});

test('each operation that needs a token may fail with a Retry-After', () => {
  const failing = Object.values(document.paths)
    .flatMap((operations) => Object.values(operations))
    .flatMap(({ responses }) => responses.default ?? []);
  expect(failing.length).toBeGreaterThan(10);
  const names = failing.map(({ headers }) => headers['Retry-After']?.$ref.split('/').at(-1));
  expect(new Set(names)).toEqual(new Set(Object.keys(document.components.headers)));
});

test('what agents accept and reply is in the document, for those who may send to them', async () => {
  const sender = newToken();
  const { app, close, headers } = await face({
    tokens: { sender: { sha256: digestOf(sender), agents: ['desk'], allow: ['send'] } },
  });
  onTestFinished(close);
  interface Path {
    readonly post: {
      readonly operationId: string;
      readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
      readonly responses: object;
    };
  }
  const pathsFor = async (authorization?: string): Promise<Readonly<Record<string, Path>>> => {
    const response = await app.request('/openapi.json', authorization ? { headers: { authorization } } : {});
    return ((await response.json()) as { paths: Readonly<Record<string, Path>> }).paths;
  };
  const asks = (paths: object): string[] => Object.keys(paths).filter((path) => path.endsWith('/ask'));
  expect(asks(await pathsFor())).toEqual(['/v1/agents/{agent}/{id}/ask']);
  const known = await pathsFor(`Bearer ${sender}`);
  expect(asks(known)).toEqual(['/v1/agents/{agent}/{id}/ask', '/v1/agents/desk/{id}/ask']);
  expect(asks(await pathsFor(headers.authorization))).toContain('/v1/agents/accepting/{id}/ask');
  const { post } = known['/v1/agents/desk/{id}/ask'] as Path;
  expect(post.operationId).toBe('ask.desk');
  expect(post.requestBody.content['application/json']?.schema).toMatchObject({
    oneOf: expect.arrayContaining([
      expect.objectContaining({
        properties: expect.objectContaining({
          type: { const: 'order' },
          item: { type: 'string', minLength: 1 },
        }) as object,
        required: ['type', 'item'],
      }),
    ]) as object,
  });
  expect(post.responses).toMatchObject({
    200: {
      content: {
        'application/json': { schema: { properties: { reply: { anyOf: expect.any(Array) as object } } } },
      },
    },
  });
  expect(Object.keys(known)).toContain('/v1/agents/desk/{id}/events');
  expect((await app.request('/openapi.json', { headers: { authorization: 'Bearer nobody' } })).status).toBe(
    401,
  );
});
