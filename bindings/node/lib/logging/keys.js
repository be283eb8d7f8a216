'use strict';

// Classifies a field by its name. Names are compared word by word (apiKey, API_KEY and api-key are
// the words "api" and "key"), so that author, classname and tokens do not match auth, ssn and
// token.

/** Kinds of a name. */
const KEEP = 0;
const SECRET = 1; // removes text, numbers and objects, but not true and false
const TOKEN = 2; // as SECRET, but keeps numbers, which are counts
const IDENTIFIER = 3; // of a person or a tenant
const MONEY = 4;

const SECRET_WORDS = new Set([
  'password',
  'passwd',
  'pwd',
  'passphrase',
  'passcode',
  'secret',
  'secrets',
  'credential',
  'credentials',
  'authorization',
  'bearer',
  'cvv',
  'cvc',
  'ssn',
  'apikey',
  'privatekey',
  'secretkey',
  'clientsecret',
  'creditcard',
  'cardnumber',
  'cookie',
  'cookies',
]);
const LAST_TOKEN_WORDS = new Set([
  'token',
  'accesstoken',
  'refreshtoken',
  'authtoken',
  'idtoken',
  'sessiontoken',
  'jwt',
]);
const WHOLE_NAMES = new Set(['auth', 'pass']);
const SECRET_PAIRS = new Set([
  'api key',
  'private key',
  'secret key',
  'access key',
  'signing key',
  'encryption key',
  'credit card',
  'card number',
  'basic auth',
]);
const IDENTIFIER_NAMES = new Set([
  'user id',
  'userid',
  'tenant id',
  'tenantid',
  'portfolio id',
  'portfolioid',
]);
const MONEY_WORDS = new Set(['amount', 'balance', 'salary']);

function wordsOf(name) {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** Returns SECRET or TOKEN for the name of a credential, else KEEP. */
function secretKind(name) {
  const words = wordsOf(name);
  for (let i = 0; i < words.length; i++) {
    if (SECRET_WORDS.has(words[i])) return SECRET;
    if (i > 0 && SECRET_PAIRS.has(words[i - 1] + ' ' + words[i])) return SECRET;
  }
  const last = words[words.length - 1];
  if (LAST_TOKEN_WORDS.has(last) || (words.length === 1 && WHOLE_NAMES.has(last))) return TOKEN;
  return KEEP;
}

/**
 * As secretKind, plus identifiers of people and tenants and amounts of money: the names that a log
 * line redacts.
 */
function logKind(name) {
  const kind = secretKind(name);
  if (kind !== KEEP) return kind;
  const words = wordsOf(name);
  const joined = words[0] === 'x' ? words.slice(1).join(' ') : words.join(' ');
  if (IDENTIFIER_NAMES.has(joined)) return IDENTIFIER;
  if (joined === 'security id') return SECRET;
  return MONEY_WORDS.has(words[words.length - 1]) ? MONEY : KEEP;
}

module.exports = { KEEP, SECRET, TOKEN, IDENTIFIER, MONEY, secretKind, logKind };
