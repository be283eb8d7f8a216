'use strict';
// Baggage as functions over contexts. A setter returns a context for runWithContext(). The entries
// are stored as the text of their header, which the core parses and writes.

const { impl } = require('./loader.js');
const { Context, ROOT, current } = require('./context.js');
const { contextFrom } = require('./propagate.js');

function contextOf(context) {
  try {
    return context === undefined || context === null ? current() : contextFrom(context);
  } catch {
    return ROOT; // an unreadable object is not a context
  }
}

function textOf(context) {
  const text = contextOf(context).baggage;
  return typeof text === 'string' ? text : '';
}

function changed(context, text) {
  return new Context(contextOf(context).span, text === '' ? null : text);
}

/** Returns the value of an entry of the context (default: the current one), or undefined. */
function getBaggage(name, context) {
  const text = textOf(context);
  if (text === '') return undefined;
  const entry = impl.baggageParse(text).find((one) => one.key === name);
  return entry === undefined ? undefined : entry.value;
}

/** Returns all entries as a new object. */
function getAllBaggage(context) {
  const text = textOf(context);
  const entries = text === '' ? [] : impl.baggageParse(text).map((one) => [one.key, one.value]);
  return Object.fromEntries(entries);
}

/** Returns a context with the entry set. An invalid name or value changes nothing. */
function setBaggage(name, value, context) {
  return changed(context, impl.baggageSet(textOf(context), name, value, ''));
}

/** Returns a context without the entry. */
function removeBaggage(name, context) {
  return changed(context, impl.baggageRemove(textOf(context), name));
}

/** Returns a context without baggage. */
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
