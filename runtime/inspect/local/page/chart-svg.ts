import { svg } from './dom.ts';

/** Rules of the style sheet that are about charts. */
const OF_CHARTS = /\.chart|\.arrow|\.edge-label|\.twist|#chart-tip/;

/** A chart as an SVG file that looks everywhere as it does here now: colours and fonts are in it. */
export function standaloneSvg(chart: SVGSVGElement): string {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  const { width, height } = chart.viewBox.baseVal;
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  for (const element of copy.querySelectorAll('[tabindex], [role=button]'))
    for (const name of ['tabindex', 'role', 'aria-expanded', 'aria-label']) element.removeAttribute(name);
  const rules = [...document.styleSheets].flatMap((sheet) =>
    [...sheet.cssRules].flatMap((rule) =>
      rule instanceof CSSStyleRule &&
      OF_CHARTS.test(rule.selectorText) &&
      !rule.selectorText.includes(':hover')
        ? [rule.cssText]
        : [],
    ),
  );
  copy.prepend(
    svg('style', {}, resolved(rules.join('\n'))),
    svg('rect', { width, height, fill: resolved('var(--surface)') }),
  );
  return new XMLSerializer().serializeToString(copy);
}

/** With the values that variables have now. */
function resolved(css: string): string {
  const probe = document.createElement('span');
  document.body.append(probe);
  const root = getComputedStyle(document.documentElement);
  const text = css.replaceAll(/var\((--[a-z-]+)\)/g, (_, name: string) => {
    const value = root.getPropertyValue(name);
    if (!/#|light-dark/.test(value)) return value;
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return text;
}
