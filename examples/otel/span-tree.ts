import type { OtlpSpan } from './receiver.ts';

/** Spans as a tree of names, each below its parent, those that began first first. */
export function spanTree(spans: readonly OtlpSpan[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const start = ({ startTimeUnixNano }: OtlpSpan): bigint => BigInt(startTimeUnixNano);
  const childrenOf = (parent: string | undefined): OtlpSpan[] =>
    spans
      .filter(({ parentSpanId = '' }) => (ids.has(parentSpanId) ? parentSpanId : undefined) === parent)
      .toSorted((a, b) => Number(start(a) - start(b)));
  const lines = (span: OtlpSpan, before: string, mark: string, below: string): string[] => {
    const children = childrenOf(span.spanId);
    return [
      `${before}${mark}${span.name}`,
      ...children.flatMap((child, n) =>
        n === children.length - 1
          ? lines(child, before + below, '└─ ', '   ')
          : lines(child, before + below, '├─ ', '│  '),
      ),
    ];
  };
  return childrenOf(undefined)
    .flatMap((root) => lines(root, '', '', ''))
    .join('\n');
}
