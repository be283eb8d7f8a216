'use strict';

// The same fields for loggers that users have already: pino through its `mixin` option, winston as a format. Neither
// library is loaded here, and neither function changes what a line has already.

const { addCurrentFields } = require('./fields');
const { createPseudonyms } = require('./pseudonym');

/**
 * For pino's `mixin` option: `pino({ mixin: traceMixin() })`.
 * @param {{hashKey?: string | Uint8Array}} [options]
 */
function traceMixin(options) {
  const pseudonym = createPseudonyms(options?.hashKey);
  // pino writes into what a mixin returns, so every line gets an object of its own.
  return () => addCurrentFields({}, pseudonym);
}

/**
 * For winston: `winston.format.combine(winstonFormat(), winston.format.json())`.
 * @param {{hashKey?: string | Uint8Array}} [options]
 */
function winstonFormat(options) {
  const pseudonym = createPseudonyms(options?.hashKey);
  return {
    options,
    transform(info) {
      try {
        const fields = addCurrentFields({}, pseudonym);
        for (const name of Object.keys(fields)) {
          if (info[name] === undefined) info[name] = fields[name];
        }
      } catch {
        // A frozen line is still a line.
      }
      return info;
    },
  };
}

module.exports = { traceMixin, winstonFormat };
