'use strict';
// Label sets and numbers of prom-client's shapes.

const util = require('node:util');

const isObject = (value) => value !== null && typeof value === 'object';
const nowTimestamp = () => Date.now() / 1000;

/** A number as an exposition has it. */
function getValueAsString(value) {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : `${value}`;
}

/** A text that identifies a label set. Separators inside values are escaped. */
function hashObject(labels, labelNames) {
  const names = labelNames === undefined ? Object.keys(labels).sort() : labelNames;
  let hash = '';
  for (const name of names) {
    if (labels[name] !== undefined) hash += `${name}:${escaped(`${labels[name]}`)},`;
  }
  return hash;
}

const escaped = (text) =>
  text.includes(',') || text.includes('\\') ? text.replace(/[\\,]/g, '\\$&') : text;

/** The labels in the arguments of labels(): an object, or values in the order of the names. */
function getLabels(labelNames, args) {
  if (isObject(args[0])) return args[0];
  if (labelNames.length !== args.length) {
    const texts = args.map((arg) => util.format(arg)).join(', ');
    throw new Error(
      `Invalid number of arguments (${args.length}): "${texts}" for label names ` +
        `(${labelNames.length}): "${labelNames.join(', ')}".`,
    );
  }
  const labels = {};
  for (let i = 0; i < labelNames.length; i++) labels[labelNames[i]] = args[i];
  return labels;
}

function setValue(hashMap, value, labels) {
  hashMap[hashObject(labels)] = { value: typeof value === 'number' ? value : 0, labels };
  return hashMap;
}

function setValueDelta(hashMap, deltaValue, labels, hash = '') {
  const delta = typeof deltaValue === 'number' ? deltaValue : 0;
  if (hashMap[hash]) hashMap[hash].value += delta;
  else hashMap[hash] = { value: delta, labels };
  return hashMap;
}

function removeLabels(hashMap, labels, sortedLabelNames) {
  delete hashMap[hashObject(labels, sortedLabelNames)];
}

/** Lists by key. */
class Grouper extends Map {
  add(key, value) {
    if (this.has(key)) this.get(key).push(value);
    else this.set(key, [value]);
  }
}

/** Returns a function that passes the seconds since now to done, with the labels of both calls. */
function timer(labels, done) {
  const start = process.hrtime.bigint();
  return (endLabels, more) => {
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    done({ ...labels, ...endLabels }, seconds, more);
    return seconds;
  };
}

module.exports = {
  Grouper,
  getLabels,
  getValueAsString,
  hashObject,
  isObject,
  nowTimestamp,
  removeLabels,
  setValue,
  setValueDelta,
  timer,
};
