export const root: string;
export const folder: string;
export function kept(source: string): string;
export function isOf(source: string, file: string): boolean;
