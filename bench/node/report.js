'use strict';
// Prints the results: one line for this package and one per peer, with ratio, bar and whether all
// spans arrived. run.js measures.

function show(value, unit) {
  if (Number.isNaN(value)) return '    failed ';
  if (unit === 'bytes') return `${value.toFixed(0).padStart(8)} B `;
  if (unit === 'MiB') return `${value.toFixed(1).padStart(8)} MiB`;
  if (unit === 'share') return `${(value * 100).toFixed(1).padStart(8)} % `;
  for (const [least, factor, name] of [
    [1e9, 1e9, 's '],
    [1e6, 1e6, 'ms'],
    [1e4, 1e3, 'us'],
  ]) {
    if (Math.abs(value) >= least) return `${(value / factor).toFixed(2).padStart(8)} ${name}`;
  }
  return `${value.toFixed(1).padStart(8)} ns`;
}

/**
 * Returns the additional columns of a contender: lost spans, spans per request, and further
 * numbers.
 */
function notes(results) {
  const last = results[results.length - 1];
  const words = [];
  if (last.spans) {
    const lost = lostShare(results);
    words.push(lost === 0 ? 'all arrived' : `${(100 * lost).toFixed(1)} % LOST`);
  }
  if (last.requests && last.arrived)
    words.push(`${(last.arrived / last.requests).toFixed(2)} spans a request`);
  if (last.mean) words.push(`mean ${show(last.mean).trim()}`);
  if (last.process) words.push(`whole process ${show(last.process).trim()}`);
  if (last.exported)
    words.push(
      `with export ${last.exported.toFixed(0)} B, outside of the heap ${last.outside.toFixed(0)} B`,
    );
  if (last.most) words.push(`median ${show(last.median).trim()}, most ${show(last.most).trim()}`);
  if (last.answer) words.push(`answers ${last.answer}`);
  return words.length ? `   (${words.join('; ')})` : '';
}

function pick(results, median) {
  const values = results.map((result) => result.value).sort((a, b) => a - b);
  return values.some(Number.isNaN) ? NaN : values[median ? values.length >> 1 : 0];
}

/** Share of lost spans in the worst round; 0 if none were expected. */
function lostShare(results) {
  return Math.max(
    ...results.map((result) => (result.spans ? 1 - result.arrived / result.spans : 0)),
  );
}

const missing = (results) => results.some((result) => result.missing);

/**
 * Returns the values of a row: minimum or median of the rounds, minus the bare run or as a share of
 * its throughput.
 */
function valuesOf(row, results) {
  const base = row.bare || row.of ? pick(results[row.bare || row.of], row.median) : 0;
  const valueOf = (name) => {
    if (missing(results[name])) return null;
    const value = pick(results[name], row.median);
    return row.of ? base / value : value - base;
  };
  return { base, valueOf };
}

/**
 * Prints a row; returns the number of missed bars. A bar is also missed if spans of this package
 * were lost.
 */
function printRow(row, results) {
  const { base, valueOf } = valuesOf(row, results);
  const mine = valueOf(row.ours);
  const complete = mine !== null && lostShare(results[row.ours]) === 0;
  let missed = 0;
  const verdict = (reached, bar) => {
    missed += reached && complete ? 0 : 1;
    return `bar ${bar} ${reached && complete ? 'reached' : 'MISSED'}`;
  };
  const line = (what, who, value, judged, name) => {
    const text = value === null ? 'not there yet' : show(value, row.unit);
    const extra = value === null ? '' : notes(results[name]);
    console.log(`${what.padEnd(46)} ${who.padEnd(42)} ${text} ${judged}${extra}`);
  };
  const within = row.unit === 'share' ? mine >= row.limit : mine <= row.limit;
  const judged = [
    row.bare || row.of ? `bare ${show(base).trim()}` : '',
    row.limit && mine !== null ? verdict(within, show(row.limit, row.unit).trim()) : '',
  ];
  line(row.what, 'ours', mine, judged.join('  '), row.ours);
  for (const each of row.peers) {
    const theirs = valueOf(each.name);
    const ratio = row.unit === 'share' ? mine / theirs : theirs / mine;
    const bar = mine !== null && each.bar ? verdict(ratio >= each.bar, `${each.bar}x`) : '';
    line(
      '',
      each.label,
      theirs,
      mine === null ? '' : `${ratio.toFixed(1).padStart(7)}x  ${bar}`,
      each.name,
    );
  }
  return missed;
}

function printSpecification(side, runs) {
  const mean = (key) => runs.reduce((sum, result) => sum + result[key], 0) / runs.length;
  const squares = runs.reduce((sum, result) => sum + (result.value - mean('value')) ** 2, 0);
  const spread = Math.sqrt(squares / Math.max(runs.length - 1, 1));
  const words = [
    `CPU ${(100 * mean('value')).toFixed(2)} % of a core (${(100 * spread).toFixed(2)})`,
    `lost ${(100 * mean('lost')).toFixed(1)} %`,
    `${mean('rate').toFixed(0)} spans/s/core`,
    `peak ${mean('memory').toFixed(1)} MiB`,
  ];
  const told = runs.length === 0 ? 'not there yet' : words.join('   ');
  console.log(`${'specification, 10,000 spans/s'.padEnd(46)} ${side.padEnd(5)} ${told}`);
}

module.exports = { printRow, printSpecification };
