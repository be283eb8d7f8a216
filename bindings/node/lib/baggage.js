'use strict';
// Baggage: name and value pairs that travel with a trace. Setting returns a context, which
// runWithContext() makes current. The list is the text of its header, which the core parses and
// writes.

const { impl } = require('./loader.js');
const { Context, ROOT, current } = require('./context.js');
const { contextFrom } = require('./propagate.js');

function contextOf(context) {
  try {
    return context === undefined || context === null ? current() : contextFrom(context);
  } catch {
    return ROOT; // what cannot be read is no context
  }
}

function textOf(context) {
  const text = contextOf(context).baggage;
  return typeof text === 'string' ? text : '';
}

function changed(context, text) {
  return new Context(contextOf(context).span, text === '' ? null : text);
}

/** The value of an entry of the context (the current one by default), or undefined. */
function getBaggage(name, context) {
  const text = textOf(context);
  if (text === '') return undefined;
  const entry = impl.baggageParse(text).find((one) => one.key === name);
  return entry === undefined ? undefined : entry.value;
}

/** All entries as a new object. */
function getAllBaggage(context) {
  const text = textOf(context);
  const entries = text === '' ? [] : impl.baggageParse(text).map((one) => [one.key, one.value]);
  return Object.fromEntries(entries);
}

/**
 * A context like the given one with the entry set. A name or value that cannot be baggage changes
 * nothing.
 */
function setBaggage(name, value, context) {
  return changed(context, impl.baggageSet(textOf(context), name, value, ''));
}

/** A context like the given one without the entry. */
function removeBaggage(name, context) {
  return changed(context, impl.baggageRemove(textOf(context), name));
}

/** A context like the given one without baggage. */
function clearBaggage(context) {
  return changed(context, '');
}

module.exports = require('./one.js')('baggage', {
  clearBaggage,
  getAllBaggage,
  getBaggage,
  removeBaggage,
  setBaggage,
});
