import type { z } from 'zod';

/**
 * For a schema that is asked once or twice in a process, as that of a config is: zod writes and compiles a function for each object
 * otherwise, which takes longer than it ever saves here. Given with the call, since zod's own settings are the app's as well.
 */
export const once: z.core.ParseContext<z.core.$ZodIssue> = { jitless: true };
