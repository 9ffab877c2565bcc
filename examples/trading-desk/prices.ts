import { readFile } from 'node:fs/promises';

/** One real price series, oldest first. */
export interface Series {
  readonly symbol: string;
  readonly name: string;
  /** An index is counted in points. */
  readonly unit: 'USD' | 'points';
  readonly prices: readonly Price[];
  /** Lengths of the two moving averages that are usual for the series' spacing, in prices. */
  readonly fast: number;
  readonly slow: number;
}

export interface Price {
  /** ISO 8601 date. */
  readonly date: string;
  readonly price: number;
}

const monthly = { fast: 3, slow: 10 };
const daily = { fast: 50, slow: 200 };
const twoMonths = { fast: 5, slow: 15 };

const companies = new Map([
  ['MSFT', 'Microsoft'],
  ['AMZN', 'Amazon'],
  ['IBM', 'IBM'],
  ['GOOG', 'Google'],
  ['AAPL', 'Apple'],
]);

/**
 * The eight real series that `vega-datasets` holds: five shares by month (2000 to 2010), the S&P 500 by day
 * (2000 to 2020) and by month, and the volatility index VIX by day (summer of 2009).
 */
export async function loadSeries(): Promise<Series[]> {
  const [shares, sp500, sp500Monthly, vix] = await Promise.all([
    readShares(),
    readDataset('sp500-2000.csv').then((text) => readColumns(text, 'date', 'close')),
    readDataset('sp500.csv').then((text) => readColumns(text, 'date', 'price')),
    readDataset('ohlc.json').then(readVix),
  ]);
  return [
    ...shares,
    { symbol: 'SP500', name: 'S&P 500, daily', unit: 'points', prices: sp500, ...daily },
    { symbol: 'SP500-M', name: 'S&P 500, monthly', unit: 'points', prices: sp500Monthly, ...monthly },
    { symbol: 'VIX', name: 'volatility index', unit: 'points', prices: vix, ...twoMonths },
  ];
}

async function readShares(): Promise<Series[]> {
  const bySymbol = Map.groupBy(readCsv(await readDataset('stocks.csv')), (row) => row['symbol'] ?? '');
  return [...bySymbol].map(([symbol, rows]) => {
    const prices = rows.map((row) => toPrice(row['date'], row['price']));
    const name = companies.get(symbol) ?? symbol;
    return { symbol, name, unit: 'USD', prices, fast: monthly.fast, slow: monthly.slow };
  });
}

async function readDataset(file: string): Promise<string> {
  return await readFile(new URL(`../data/${file}`, import.meta.resolve('vega-datasets')), 'utf8');
}

function readVix(text: string): Price[] {
  const rows = JSON.parse(text) as { date: string; close: number }[];
  return rows.map(({ date, close }) => toPrice(date, String(close)));
}

function readColumns(text: string, date: string, price: string): Price[] {
  return readCsv(text).map((row) => toPrice(row[date], row[price]));
}

// These files quote nothing, so a comma always separates.
function readCsv(text: string): Record<string, string>[] {
  const [head = '', ...lines] = text.trim().split(/\r?\n/);
  const names = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    if (cells.length !== names.length) throw new Error(`expected ${names.length} columns: ${line}`);
    return Object.fromEntries(names.map((name, column) => [name, cells[column] ?? '']));
  });
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function toPrice(date = '', price = ''): Price {
  const value = Number(price);
  if (price === '' || !Number.isFinite(value)) throw new Error(`not a price: "${price}" on ${date}`);
  return { date: toIsoDate(date), price: value };
}

/** `Feb 1 2010` and `2010-02-01` both become `2010-02-01`. */
function toIsoDate(date: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(date)) return date;
  const [name = '', day = '', year = ''] = date.split(' ');
  const month = months.indexOf(name) + 1;
  if (month === 0 || day === '' || year === '') throw new Error(`not a date: "${date}"`);
  return `${year}-${String(month).padStart(2, '0')}-${day.padStart(2, '0')}`;
}
