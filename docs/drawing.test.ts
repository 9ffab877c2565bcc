import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { toMermaid } from 'holdfast';
import { providerBreakerMachine } from '../actors/provider-breaker.ts';

test('the machine that the page shows is the one that there is', () => {
  const page = readFileSync(new URL('drawing.md', import.meta.url), 'utf8');
  const [, drawn] = /```mermaid\n(stateDiagram[^`]*)```/.exec(page) ?? [];
  expect(drawn).toBe(toMermaid(providerBreakerMachine));
});
