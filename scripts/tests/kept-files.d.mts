export const root: string;
export const folder: string;
export function kept(source: string): string;
export function isOf(source: string, file: string): boolean;
export const bundled: readonly string[];
export function keptBundle(source: string): string;
export function bundleOf(source: string): string | undefined;
