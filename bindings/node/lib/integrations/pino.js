'use strict';

// Trace ids in the lines of pino, which is not loaded here. A field that a line has already is not
// changed.

const { addCurrentFields } = require('../logging/fields');
const { createPseudonyms } = require('../logging/pseudonym');

/**
 * For pino's `mixin` option: `pino({ mixin: traceMixin() })`.
 * @param {{hashKey?: string | Uint8Array}} [options]
 */
function traceMixin(options) {
  const pseudonym = createPseudonyms(options?.hashKey);
  // pino writes into what a mixin returns, so every line gets an object of its own.
  return () => addCurrentFields({}, pseudonym);
}

module.exports = { traceMixin };
