import { expect, test } from 'vitest';
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
