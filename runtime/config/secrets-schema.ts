import { z } from 'zod';
import { builtinProviders, type BuiltinProviderName } from '../../providers/builtin-providers.ts';
import { LONGEST_TIMER_MS } from '../base/clock.ts';
import { integer, namedMap, numeric, text, timeSpan, meaning } from './fields.ts';

/** The alias that `externalSecrets` declares, and that a grant uses when it names none. */
export const DEFAULT_PROVIDER_ALIAS = 'default';

// The open string keeps editors completing the built-in names while custom ones are allowed.
type ProviderName = BuiltinProviderName | (string & {});

/** A declared secret provider. Options that are not listed here belong to the provider, which checks them. */
export const providerSchema = z
  .looseObject({
    provider: (text() as z.ZodType<ProviderName, ProviderName>).describe(
      `The provider: ${[...builtinProviders.keys()].join(', ')}, or the name of a custom one given in RuntimeOptions.providers.`,
    ),
    region: text()
      .optional()
      .register(...meaning('The region of the provider, such as ap-east-1.')),
    cacheTTL: numeric(0, Math.floor(LONGEST_TIMER_MS / 1000))
      .default(300)
      .register(
        ...meaning(
          'How long a secret is cached, in seconds; refreshed in the background before that. Default: 300.',
        ),
      ),
    maxStaleMs: timeSpan(0)
      .default(900_000)
      .register(
        ...meaning(
          'For how long after it was last found current a secret is used while the provider fails for a time, in milliseconds. Default: 900000.',
        ),
      ),
    endpoint: text()
      .optional()
      .register(...meaning('Another address of the service: a VPC endpoint or a local emulator.')),
  })
  .register(...meaning('A secret provider. Other options are those of the provider.'));

/** `secrets` of the config. */
export const secretsSchema = z
  .strictObject({
    providers: namedMap(providerSchema)
      .optional()
      .register(...meaning('More providers by alias; grants name the alias. Default: none.')),
    maxEntries: integer(1)
      .default(1000)
      .register(
        ...meaning(
          'How many secrets the host holds at one time; those used longest ago go first, granted ones last. Default: 1000.',
        ),
      ),
  })
  .register(...meaning('Secret providers besides externalSecrets.'));

/** A provider under its alias in `secrets.providers`. `cacheTTL` is in seconds, 300 by default. */
export interface ProviderConfig extends z.input<typeof providerSchema> {}

/** The provider with the alias `default`. The same shape as {@link ProviderConfig}. */
export interface ExternalSecrets extends ProviderConfig {}
