'use strict';

// Maps the id of a person or tenant to a constant value that reveals nothing without the key: a
// version, then HMAC-SHA-256 cut to 64 bits in hexadecimal. Never returns the id itself.

const { createHmac, randomBytes } = require('node:crypto');

const PREFIX = 'h1_';
const PSEUDONYM = /^h1_[0-9a-f]{16}$/;
const CACHE_LIMIT = 1000;

let processKey = null;

/**
 * Returns a function from id to pseudonym. Without a key it uses a random one: pseudonyms are then
 * constant within the process only.
 */
function createPseudonyms(key) {
  let secret = key;
  if (!(typeof key === 'string' && key !== '') && !(key instanceof Uint8Array && key.length > 0)) {
    processKey ??= randomBytes(32);
    secret = processKey;
  }
  const cache = new Map();
  return function pseudonym(id) {
    const text = String(id);
    if (PSEUDONYM.test(text)) return text;
    const known = cache.get(text);
    if (known !== undefined) return known;
    const made = PREFIX + createHmac('sha256', secret).update(text).digest('hex').slice(0, 16);
    if (cache.size >= CACHE_LIMIT) cache.clear();
    cache.set(text, made);
    return made;
  };
}

module.exports = { createPseudonyms };
