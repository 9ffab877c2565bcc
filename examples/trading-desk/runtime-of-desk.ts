import type { Runtime } from 'holdfast';
import type { deskConfig } from './desk-config.ts';

/** The runtime, typed by the desk's own agents. */
export type DeskRuntime = Runtime<ReturnType<typeof deskConfig>>;
