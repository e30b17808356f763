/** "1 job", "1,204 jobs". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${formatNumber(n)} ${n === 1 ? one : many}`;
}

const NUMBER = new Intl.NumberFormat("en-US");

export function formatNumber(n: number): string {
  return NUMBER.format(n);
}

const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** 999, 1.2K, 3.4M: for places that must not grow. */
export function formatCompact(n: number): string {
  return n < 10_000 ? NUMBER.format(n) : COMPACT.format(n);
}
