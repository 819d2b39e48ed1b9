// How late a machine may be. Every deadline of a scenario passes through `allowed`, so the tolerance is stated here and nowhere else.

/** A deadline of the acceptance list may be exceeded by this factor; on a slower machine than two busy cores, REJOIN_TEST_SLACK overrides it. */
export const SLACK = Number(process.env.REJOIN_TEST_SLACK ?? 1.5);

/** What one timer, one process switch and one round trip to the browser cost, in milliseconds, however small the deadline. */
const ROUND_TRIP = 150;

/** How long a condition is waited for before the wait itself gives up, in milliseconds; then the log is printed. */
export const PATIENCE = 15_000;

/** A timer that is later than this was not served: the process stood still. */
const STALL = 40;

/** The milliseconds that may pass where a scenario promises `limit`, in a time in which the machine stood still for `stalled`. */
export function allowed(limit, stalled = 0) {
  return limit * SLACK + ROUND_TRIP + stalled;
}

/** The milliseconds between `from` and `to` in which a ticking timer was not served. `stalls`: `[{from, to}]`, same clock. */
export function stalledWithin(stalls, from, to) {
  return stalls.reduce((sum, stall) => sum + Math.max(0, Math.min(stall.to, to) - Math.max(stall.from, from)), 0);
}

/** Watches this process's own event loop, through which every proxied byte goes. Times are `Date.now()`-like, comparable with the page's. */
export function watchStalls(period = 20) {
  const stalls = [];
  const now = () => performance.timeOrigin + performance.now();
  let last = now();
  const timer = setInterval(() => {
    const at = now();
    if (at - last > period + STALL) stalls.push({ from: last + period, to: at });
    last = at;
  }, period);
  timer.unref();
  return { stalls, stop: () => clearInterval(timer) };
}
