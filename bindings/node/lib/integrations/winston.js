'use strict';

// Trace ids in the lines of winston, which is not loaded here. Existing fields of a line are not
// changed.

const { addCurrentFields } = require('../logging/fields');
const { createPseudonyms } = require('../logging/pseudonym');

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
        // A frozen line is logged unchanged.
      }
      return info;
    },
  };
}

module.exports = { winstonFormat };
