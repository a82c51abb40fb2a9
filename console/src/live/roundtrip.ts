// How long answers take, as the reader at the screen feels it: the last one and the median of 30.

const REMEMBERED = 30;

export interface RoundTrip {
  last: number;
  median: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

export class Stopwatch {
  private times: number[] = [];

  /** Runs some work and also says how long it took. */
  async time<T>(work: () => Promise<T>): Promise<{ result: T; trip: RoundTrip }> {
    const start = performance.now();
    const result = await work();
    const last = performance.now() - start;
    this.times = [...this.times, last].slice(-REMEMBERED);
    return { result, trip: { last, median: median(this.times) } };
  }
}
