/**
 * The words of OpenTelemetry's conventions for generative AI, as of August 2026. They are in development there: what changes
 * is changed here.
 */
export const GEN_AI_OPERATION = 'gen_ai.operation.name';
export const GEN_AI_PROVIDER = 'gen_ai.provider.name';
export const GEN_AI_AGENT = 'gen_ai.agent.name';
export const GEN_AI_REQUEST_MODEL = 'gen_ai.request.model';
export const GEN_AI_RESPONSE_MODEL = 'gen_ai.response.model';
export const GEN_AI_RESPONSE_ID = 'gen_ai.response.id';
export const GEN_AI_FINISH_REASONS = 'gen_ai.response.finish_reasons';
export const GEN_AI_INPUT_TOKENS = 'gen_ai.usage.input_tokens';
export const GEN_AI_OUTPUT_TOKENS = 'gen_ai.usage.output_tokens';
export const GEN_AI_TOKEN_TYPE = 'gen_ai.token.type';
/** JSON of messages; with `capture` alone. */
export const GEN_AI_INPUT_MESSAGES = 'gen_ai.input.messages';
export const GEN_AI_OUTPUT_MESSAGES = 'gen_ai.output.messages';
export const GEN_AI_TOOL = 'gen_ai.tool.name';
export const GEN_AI_TOOL_TYPE = 'gen_ai.tool.type';

export const GEN_AI_METRICS = {
  duration: 'gen_ai.client.operation.duration',
  firstChunk: 'gen_ai.client.operation.time_to_first_chunk',
  tokens: 'gen_ai.client.token.usage',
} as const;

/** Seconds, as the conventions advise. */
export const GEN_AI_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/** Tokens, as the conventions advise. */
export const GEN_AI_TOKENS = [
  1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];

/** The services that have a name in the conventions, by their host. */
const providers: readonly (readonly [host: RegExp, name: string])[] = [
  [/(^|\.)openai\.com$/, 'openai'],
  [/(^|\.)anthropic\.com$/, 'anthropic'],
  [/\.openai\.azure\.com$/, 'azure.ai.openai'],
  [/\.(services|inference)\.ai\.azure\.com$/, 'azure.ai.inference'],
  [/^generativelanguage\.googleapis\.com$/, 'gcp.gemini'],
  [/aiplatform\.googleapis\.com$/, 'gcp.vertex_ai'],
  [/\.amazonaws\.com$/, 'aws.bedrock'],
  [/(^|\.)mistral\.ai$/, 'mistral_ai'],
  [/(^|\.)groq\.com$/, 'groq'],
  [/(^|\.)deepseek\.com$/, 'deepseek'],
  [/(^|\.)x\.ai$/, 'x_ai'],
  [/(^|\.)cohere\.(com|ai)$/, 'cohere'],
  [/(^|\.)perplexity\.ai$/, 'perplexity'],
];

/** Operations by the last part of the path, and the service whose protocol that is. */
const operations: readonly (readonly [path: RegExp, operation: string, provider: string])[] = [
  [/\/chat\/completions$/, 'chat', 'openai'],
  [/\/responses$/, 'chat', 'openai'],
  [/\/messages$/, 'chat', 'anthropic'],
  [/\/completions$/, 'text_completion', 'openai'],
  [/\/embeddings$/, 'embeddings', 'openai'],
];

/** What a model is asked to do. */
export interface ModelOperation {
  readonly operation: string;
  readonly provider: string;
}

/**
 * The operation that a URL stands for; undefined when it is none of a model. A service that is not known is called by
 * the protocol it speaks, as the conventions have it.
 */
export function modelOperation({ hostname, pathname }: URL): ModelOperation | undefined {
  const found = operations.find(([path]) => path.test(pathname));
  if (found === undefined) return undefined;
  const [, operation, protocol] = found;
  return { operation, provider: providers.find(([host]) => host.test(hostname))?.[1] ?? protocol };
}
