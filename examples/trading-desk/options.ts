import { parseArgs } from 'node:util';

export interface DeskOptions {
  /** Use the real service instead of the emulator. */
  readonly aws: boolean;
  /** The secret that holds the signing key. */
  readonly secretId: string;
  /** Instead of the region in `openclaw.json`; only with `aws`. */
  readonly region: string | undefined;
  /** How long the desk trades; it also finishes the pass it is in. */
  readonly seconds: number;
  /** The file in which traders and books outlive the process. */
  readonly store: string | undefined;
  /** Show it on the inspector's page. */
  readonly inspect: boolean;
}

export const usage = `The trading desk: three agents of openclaw.json on real prices.

  npm start -- [options]

  --seconds <n>    how long the desk trades (default: 4, at least 1)
  --inspect        show the agents on a page of this machine; trade a while: --seconds 600
  --store <file>   keep traders and books in that file; the next run with it goes on
  --aws            use AWS Secrets Manager instead of the embedded emulator
  --secret <name>  the secret with the signing key (default: trading-desk/signing-key);
                   made when it is missing, rotated only if this example made it
  --region <name>  the AWS region (default: the one in openclaw.json)
  --help           this text
`;

/** Reads the command line; undefined when help was asked for. Throws an error that says what is wrong. */
export function readOptions(args: readonly string[]): DeskOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      inspect: { type: 'boolean', default: false },
      aws: { type: 'boolean', default: false },
      secret: { type: 'string', default: 'trading-desk/signing-key' },
      region: { type: 'string' },
      seconds: { type: 'string', default: '4' },
      store: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 3600))
    throw new RangeError(`--seconds takes a number from 1 to 3600, not "${values.seconds}"`);
  if ((values.region !== undefined || values.secret !== 'trading-desk/signing-key') && !values.aws)
    throw new RangeError('--secret and --region are for the real service: add --aws');
  const { aws, inspect, region, secret: secretId, store } = values;
  return { aws, secretId, region, seconds, store, inspect };
}
