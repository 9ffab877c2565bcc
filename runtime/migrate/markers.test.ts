import { expect, test } from 'vitest';
import { markerOf } from './markers.ts';

test.each([
  ['${OPENAI_API_KEY}', 'OPENAI_API_KEY', undefined],
  ['$OPENAI_API_KEY', 'OPENAI_API_KEY', undefined],
  ['${ env:api_key }', 'api_key', undefined],
  ['OPENAI_API_KEY', 'OPENAI_API_KEY', undefined],
  ['secretref-env:X', 'X', undefined],
  ['env:X_KEY', 'X_KEY', undefined],
  ['os.environ/X_KEY', 'X_KEY', undefined],
  ['%X_KEY%', 'X_KEY', undefined],
  ['${X:-y-1}', 'X', 'y-1'],
  ['${X:?is not set}', 'X', undefined],
])('%s is the name of a variable', (value, variable, fallback) => {
  expect(markerOf(value)).toEqual({ kind: 'variable', variable, ...(fallback && { fallback }) });
});

test.each(['op://vault/item/key', '/run/secrets/key', 'arn:aws:x', '$(pass show key)'])(
  '%s says where a secret is',
  (value) => {
    expect(markerOf(value)).toEqual({ kind: 'elsewhere' });
  },
);

test.each(['$ecret9', 'ollama-local', 'q8Zt-Lw2vXp5Kq1', '/9j/4AAQSkZJRgABAQ1x', 'AKIA2E0A8F3B244C9986', ''])(
  '%s says nothing of another place',
  (value) => {
    expect(markerOf(value)).toBeUndefined();
  },
);
