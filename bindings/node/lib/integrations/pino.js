'use strict';

// Trace ids in the lines of pino, which is not loaded here. Existing fields of a line are not
// changed.

const { addCurrentFields } = require('../logging/fields');
const { createPseudonyms } = require('../logging/pseudonym');

/**
 * For pino's `mixin` option: `pino({ mixin: traceMixin() })`.
 * @param {{hashKey?: string | Uint8Array}} [options]
 */
function traceMixin(options) {
  const pseudonym = createPseudonyms(options?.hashKey);
  // pino writes into the returned object, so each line needs a new one.
  return () => addCurrentFields({}, pseudonym);
}

module.exports = { traceMixin };
