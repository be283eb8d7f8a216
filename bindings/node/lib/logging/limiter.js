'use strict';

// A token bucket per level below error. Lines over the rate are counted and a line reports their
// number. Errors are never suppressed.

const LEVELS = ['trace', 'debug', 'info', 'warn'];
const REPORT_AFTER_MS = 1000;

class RateLimiter {
  /** report({level: lines}) is called after lines were suppressed, outside of any log call. */
  constructor(linesPerSecond, report, clock = () => performance.now()) {
    this.rate = linesPerSecond;
    this.report = report;
    this.clock = clock;
    this.buckets = new Map();
    this.timer = null;
    const now = clock();
    for (const level of LEVELS)
      this.buckets.set(level, { tokens: linesPerSecond, at: now, suppressed: 0 });
  }

  /** Whether a line of the level may be written now. */
  take(level) {
    const bucket = this.buckets.get(level);
    if (bucket === undefined) return true;
    const now = this.clock();
    const gained = Math.max(0, now - bucket.at) * (this.rate / 1000);
    bucket.tokens = Math.min(this.rate, bucket.tokens + gained);
    bucket.at = now;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return true;
    }
    bucket.suppressed += 1;
    if (this.timer === null) {
      this.timer = setTimeout(() => this.tell(), REPORT_AFTER_MS);
      this.timer.unref();
    }
    return false;
  }

  /** Reports the lines suppressed since the last report. */
  tell() {
    clearTimeout(this.timer);
    this.timer = null;
    const suppressed = {};
    for (const [level, bucket] of this.buckets) {
      if (bucket.suppressed > 0) suppressed[level] = bucket.suppressed;
      bucket.suppressed = 0;
    }
    if (Object.keys(suppressed).length > 0) this.report(suppressed);
  }
}

module.exports = { RateLimiter };
