'use strict';
// Quantiles of the values of a time window. Each bucket of time keeps values in order, and joins
// neighbours when there are many.

const VALUES_MAX = 2000;
const JOINED = 100;

class Digest {
  constructor() {
    this.reset();
  }

  reset() {
    this.points = []; // [value, count], in order after compress()
    this.isSorted = true;
  }

  size() {
    return this.points.length;
  }

  push(value) {
    this.points.push([value, 1]);
    this.isSorted = false;
    if (this.points.length > VALUES_MAX) this.compress();
  }

  compress() {
    if (!this.isSorted) this.points.sort((a, b) => a[0] - b[0]);
    this.isSorted = true;
    if (this.points.length <= VALUES_MAX) return;
    const total = this.points.reduce((sum, [, count]) => sum + count, 0);
    const joined = [];
    let before = 0;
    for (const [value, count] of this.points) {
      const last = joined[joined.length - 1];
      const place = (before + count / 2) / total;
      // Points at the ends stay small, so that extreme quantiles stay exact.
      const room = (4 * total * place * (1 - place)) / JOINED;
      if (last !== undefined && last[1] + count <= room) {
        last[0] += ((value - last[0]) * count) / (last[1] + count);
        last[1] += count;
      } else joined.push([value, count]);
      before += count;
    }
    this.points = joined;
  }

  percentile(quantile) {
    this.compress();
    const { points } = this;
    if (points.length === 0) return undefined;
    const wanted = quantile * points.reduce((sum, [, count]) => sum + count, 0);
    let before = 0;
    for (let i = 0; i < points.length; i++) {
      const center = before + points[i][1] / 2;
      if (wanted < center || i === points.length - 1) {
        if (i === 0 || wanted >= center) return points[i][0];
        const start = before - points[i - 1][1] / 2;
        const share = (wanted - start) / (center - start);
        return points[i - 1][0] + share * (points[i][0] - points[i - 1][0]);
      }
      before += points[i][1];
    }
    return undefined;
  }
}

class TimeWindowQuantiles {
  constructor(maxAgeSeconds, ageBuckets) {
    this.maxAgeSeconds = maxAgeSeconds || 0;
    this.ageBuckets = ageBuckets || 0;
    this.shouldRotate = Boolean(maxAgeSeconds && ageBuckets);
    this.ringBuffer = Array.from({ length: this.shouldRotate ? ageBuckets : 1 }, newDigest);
    this.currentBuffer = 0;
    this.lastRotateTimestampMillis = Date.now();
    this.durationBetweenRotatesMillis = (maxAgeSeconds * 1000) / ageBuckets || Infinity;
  }

  _rotated() {
    let passed = Date.now() - this.lastRotateTimestampMillis;
    while (this.shouldRotate && passed > this.durationBetweenRotatesMillis) {
      this.ringBuffer[this.currentBuffer] = new Digest();
      this.currentBuffer = (this.currentBuffer + 1) % this.ringBuffer.length;
      passed -= this.durationBetweenRotatesMillis;
      this.lastRotateTimestampMillis += this.durationBetweenRotatesMillis;
    }
    return this.ringBuffer[this.currentBuffer];
  }

  size() {
    return this._rotated().size();
  }

  percentile(quantile) {
    return this._rotated().percentile(quantile);
  }

  push(value) {
    this._rotated();
    for (const digest of this.ringBuffer) digest.push(value);
  }

  reset() {
    for (const digest of this.ringBuffer) digest.reset();
  }

  compress() {
    for (const digest of this.ringBuffer) digest.compress();
  }
}

const newDigest = () => new Digest();

module.exports = TimeWindowQuantiles;
