'use strict';

// Turns the id of a person or a tenant into a value that is the same every time and tells nothing
// without the key: HMAC-SHA-256, 64 bits in hexadecimal, with a version before it. It must never
// give the id itself back.

const { createHmac, randomBytes } = require('node:crypto');

const PREFIX = 'h1_';
const PSEUDONYM = /^h1_[0-9a-f]{16}$/;
const CACHE_LIMIT = 1000;

let processKey = null;

/**
 * A function from id to pseudonym. Without a key a random one of this process is used: the same id
 * has the same pseudonym until the process ends, and another one in the next.
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
