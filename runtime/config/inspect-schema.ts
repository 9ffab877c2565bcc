import { z } from 'zod';
import { flag, integer, meaning } from './fields.ts';

/** The inspection of a runtime, as written in a config; see `docs/inspect.md`. */
export interface InspectConfig {
  /** The page to serve. Default: `local`. */
  readonly page?: 'local' | 'stately' | undefined;
  /** The port on 127.0.0.1. Default: a free one. */
  readonly port?: number | undefined;
  /** Whether the page may act: send events, stop and resume instances, replace and profile threads, replay dead letters, fetch secrets again. Default: false. */
  readonly allowSend?: boolean | undefined;
}

/** The same, with all defaults. */
export interface ResolvedInspect {
  readonly page: 'local' | 'stately';
  readonly port: number;
  readonly allowSend: boolean;
}

export const inspectSchema = z
  .strictObject({
    page: z
      .enum(['local', 'stately'], '"local" or "stately"')
      .default('local')
      .register(
        ...meaning(
          'local: a page on 127.0.0.1; stately: the hosted inspector, which is shown the contexts of agents. Default: local.',
        ),
      ),
    port: integer(0, 65_535)
      .default(0)
      .register(...meaning('The port of the page on 127.0.0.1; Default: 0, a free one.')),
    allowSend: flag()
      .default(false)
      .register(
        ...meaning(
          'Whether the page may act: send events, stop and resume instances, replace and profile threads, replay dead letters, fetch secrets again. Default: false.',
        ),
      ),
  })
  .register(...meaning('Serves a page that shows all actors, to anybody who has its link. Default: none.'));
