/** Where the credential of a service goes, and how. */
export interface KnownService {
  readonly hosts: readonly string[];
  /** Default: `Authorization`. */
  readonly header?: string;
  /** Default: `Bearer {}`. */
  readonly format?: string;
}

/** By the word that stands in the name of its credential. The hosts and headers are those of each service's API reference. */
const services: ReadonlyMap<string, KnownService> = new Map([
  ['openai', { hosts: ['api.openai.com'] }],
  ['anthropic', { hosts: ['api.anthropic.com'], header: 'x-api-key', format: '{}' }],
  ['gemini', { hosts: ['generativelanguage.googleapis.com'], header: 'x-goog-api-key', format: '{}' }],
  ['openrouter', { hosts: ['openrouter.ai'] }],
  ['groq', { hosts: ['api.groq.com'] }],
  ['mistral', { hosts: ['api.mistral.ai'] }],
  ['deepseek', { hosts: ['api.deepseek.com'] }],
  ['xai', { hosts: ['api.x.ai'] }],
  ['perplexity', { hosts: ['api.perplexity.ai'] }],
  ['brave', { hosts: ['api.search.brave.com'], header: 'X-Subscription-Token', format: '{}' }],
  ['elevenlabs', { hosts: ['api.elevenlabs.io'], header: 'xi-api-key', format: '{}' }],
  ['github', { hosts: ['api.github.com'] }],
  ['slack', { hosts: ['slack.com'] }],
  ['discord', { hosts: ['discord.com'], format: 'Bot {}' }],
]);

/** The service whose name is a word of a credential's names: `OPENAI_API_KEY`, `models.providers.openai.apiKey`. */
export function serviceOf(names: readonly string[]): [name: string, service: KnownService] | undefined {
  const words = new Set(names.flatMap(wordsOf));
  return Array.from(services).find(([name]) => words.has(name));
}

/** The words of a name, in small letters: `botToken` is `bot` and `token`. */
export function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
}
