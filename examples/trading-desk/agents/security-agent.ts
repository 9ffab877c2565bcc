import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reply } from 'holdfast/agent';
import { assign, emit, fromPromise, setup } from 'xstate';
import { findCredentials, type Finding } from './credentials.ts';

/** A larger file is reported as skipped: configuration is not that long. */
const LARGEST_BYTES = 1024 * 1024;

export interface SecurityInput {
  /** Absolute path; files are named relative to it. */
  readonly folder: string;
}

interface SecurityContext extends SecurityInput {
  /** Named, not yet read, oldest first. */
  readonly waiting: readonly string[];
  readonly scanned: number;
  readonly skipped: readonly string[];
  readonly findings: readonly Finding[];
}

export type SecurityEvent = { type: 'file'; file: string } | { type: 'findings' };

export type SecurityEmitted =
  | { type: 'scanned'; file: string; findings: readonly Finding[] }
  | { type: 'skipped'; file: string };

/** The answer to `{ type: 'findings' }`. */
export interface SecuritySummary {
  readonly scanned: number;
  readonly skipped: readonly string[];
  readonly findings: readonly Finding[];
}

async function scanFile({ folder, file }: { folder: string; file: string }): Promise<Finding[]> {
  const path = join(folder, file);
  const { size } = await stat(path);
  if (size > LARGEST_BYTES) throw new RangeError(`${file} is larger than ${LARGEST_BYTES} bytes`);
  return findCredentials(file, await readFile(path, 'utf8'));
}

/** Reads the files it is told about, one at a time, and says where credentials lie in plain text. */
export default setup({
  types: {
    input: {} as SecurityInput,
    context: {} as SecurityContext,
    events: {} as SecurityEvent,
    emitted: {} as SecurityEmitted,
  },
  actors: {
    scanFile: fromPromise<Finding[], { folder: string; file: string }>(
      async ({ input }) => await scanFile(input),
    ),
  },
  guards: {
    fileWaits: ({ context }) => context.waiting.length > 0,
  },
  actions: {
    queueFile: assign(({ context, event }) =>
      event.type === 'file' ? { waiting: [...context.waiting, event.file] } : {},
    ),
    noteScanned: assign(({ context }, findings: readonly Finding[]) => ({
      waiting: context.waiting.slice(1),
      scanned: context.scanned + 1,
      findings: [...context.findings, ...findings],
    })),
    noteSkipped: assign(({ context }) => ({
      waiting: context.waiting.slice(1),
      skipped: [...context.skipped, ...context.waiting.slice(0, 1)],
    })),
  },
}).createMachine({
  id: 'security-agent',
  context: ({ input }) => ({ ...input, waiting: [], scanned: 0, skipped: [], findings: [] }),
  on: {
    file: { actions: 'queueFile' },
    findings: {
      actions: reply(({ context: { scanned, skipped, findings } }): SecuritySummary => ({
        scanned,
        skipped,
        findings,
      })),
    },
  },
  initial: 'idle',
  states: {
    idle: { always: { guard: 'fileWaits', target: 'scanning' } },
    scanning: {
      invoke: {
        id: 'scan',
        src: 'scanFile',
        input: ({ context }) => ({ folder: context.folder, file: context.waiting[0] ?? '' }),
        onDone: {
          target: 'idle',
          actions: [
            emit(({ context, event }) => ({
              type: 'scanned' as const,
              file: context.waiting[0] ?? '',
              findings: event.output,
            })),
            { type: 'noteScanned', params: ({ event }) => event.output },
          ],
        },
        onError: {
          target: 'idle',
          actions: [
            emit(({ context }) => ({ type: 'skipped' as const, file: context.waiting[0] ?? '' })),
            'noteSkipped',
          ],
        },
      },
    },
  },
});
