'use strict';

// Patterns of secrets and personal data in text. Each takes linear time: a repetition is bounded,
// or starts where no other match can start (a look-behind). They must not apply to numbers, nor
// match times, versions, hashes and ids.

// A value after `name=` or `name:`, quoted or bare. An unclosed quote matches the rest of the text.
const VALUE = '(?:\\\\?"[^"]*"?|\\\\?\'[^\']*\'?|[^\\s"\'\\\\&,;]+)';
const ASSIGN = '\\\\?["\']?\\s*[:=]\\s*';

const SECRET_NAMES = [
  '(?:access|refresh|auth|id|csrf|xsrf|session|bearer)[_-]?token',
  '(?:client|app|shared|webhook)[_-]?secret',
  'secret[_-]?(?:access[_-]?)?key',
  '(?:private|signing|encryption|access)[_-]?key',
].join('|');

const PHONE = [
  '(?<![\\w.+-])(?:\\+?1[ .-]?)?' +
    '(?:\\([2-9]\\d{2}\\) ?\\d{3}[ .-]?\\d{4}|[2-9]\\d{2}(?:([ .-])\\d{3}\\1|\\d{3})\\d{4})',
  '(?<![\\w+])\\+[1-9](?:[ .-]?\\d){9,14}',
]
  .map((form) => form + '(?![\\w-]|\\.\\d)')
  .join('|');

// Issuer prefix and length, in the usual groups. The check digit is not verified, so that mistyped
// cards match.
const CARD = [
  '(?:4\\d{3}|5[1-5]\\d{2}|2(?:22[1-9]|2[3-9]\\d|[3-6]\\d{2}|7[01]\\d|720)|' +
    '6011|65\\d{2}|64[4-9]\\d|35\\d{2}|62\\d{2})([ -]?)\\d{4}\\1\\d{4}\\1\\d{4}',
  '3[47]\\d{2}([ -]?)\\d{6}\\2\\d{5}',
  '3(?:0[0-5]|[68]\\d)\\d([ -]?)\\d{6}\\3\\d{4}',
].join('|');

// Four one-digit groups are a version, and so is 120.0.0.0; a loopback address is not personal.
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)';
const IPV4 =
  '(?<![\\w.-])(?!127\\.|\\d\\.\\d\\.\\d\\.\\d(?!\\d)|\\d{1,3}\\.0\\.0\\.0(?!\\d))' +
  `${OCTET}(?:\\.${OCTET}){3}(?![\\w-]|\\.\\d)`;

// Addresses in use begin with 2 or 3 (global), fc or fd (local), fe8 to feb (link) or ::ffff:
// (mapped). Other beginnings would match times and C++ names; text with neither eight groups nor
// "::" is a date.
const IPV6 =
  '(?<![\\w:.])(?:(?=[0-9a-f:]{0,40}::|(?:[0-9a-f]{1,4}:){7}[0-9a-f])' +
  '(?:[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f])(?::{1,2}[0-9a-f]{1,4}){0,7}(?:::)?' +
  `|::ffff:(?:${OCTET}\\.){3}${OCTET}|::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4})(?![\\w:])`;

// Nine digits with separators: fewer are not a card, telephone or social security number.
const NINE_DIGITS = '\\d(?:[ .()-]{0,2}\\d){8}';
const DOTTED = '\\d\\.\\d{1,3}\\.\\d';
const nineDigits = new RegExp(NINE_DIGITS);
const dotted = new RegExp(DOTTED);

const digits = (text) => nineDigits.test(text);
const assigns = (text) => text.includes('=') || text.includes(':');

/** A rule with a cheap test for texts that its pattern cannot match. */
function define(name, source, flags, replacement, possible) {
  return {
    rule: Object.freeze({ name, pattern: new RegExp(source, flags), replacement }),
    possible,
  };
}

const DEFINITIONS = [
  define(
    'private_key',
    '-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)',
    'g',
    '[REDACTED_PRIVATE_KEY]',
    (text) => text.includes('-----BEGIN'),
  ),
  define(
    'url_credentials',
    '(://[^\\s/:@?#"\'<>]{0,256}):[^\\s/@"\'<>]{1,256}@',
    'g',
    '$1:[REDACTED]@',
    (text) => text.includes('://') && text.includes('@'),
  ),
  define(
    'authorization',
    `(authorization${ASSIGN}\\\\?["']?(?:(?:Bearer|Basic|Digest|Token|ApiKey)\\s+)?)` +
      '(?!Bearer\\b|Basic\\b|Digest\\b|Token\\b|ApiKey\\b|\\[REDACTED)[^\\s"\'\\\\,;]+',
    'gi',
    '$1[REDACTED_TOKEN]',
    (text) => assigns(text) && /authorization/i.test(text),
  ),
  define(
    'bearer_token',
    '\\b[Bb](?:earer|EARER)\\s+' +
      '(?=[A-Za-z]{0,512}[0-9._~+/=-]{1,512}[A-Za-z0-9]|[A-Za-z]{20})[A-Za-z0-9._~+/=-]+',
    'g',
    'Bearer [REDACTED_TOKEN]',
    (text) => /earer/i.test(text),
  ),
  define(
    'api_key',
    `api[_-]?key${ASSIGN}${VALUE}`,
    'gi',
    'api_key=[REDACTED_API_KEY]',
    (text) => assigns(text) && /api[_-]?key/i.test(text),
  ),
  define(
    'password',
    `(?:password|passwd|passphrase|pwd)${ASSIGN}${VALUE}`,
    'gi',
    'password=[REDACTED_PASSWORD]',
    assigns,
  ),
  define('secret', `(${SECRET_NAMES})${ASSIGN}${VALUE}`, 'gi', '$1=[REDACTED]', assigns),
  define(
    'token',
    `(?<![A-Za-z0-9])(token|secret)(?:=|\\\\?["']\\s*[:=]\\s*)${VALUE}`,
    'gi',
    '$1=[REDACTED]',
    assigns,
  ),
  define(
    'aws_access_key',
    '(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])',
    'g',
    '[REDACTED_AWS_KEY]',
    (text) => /A[KS]IA/.test(text),
  ),
  define(
    'vendor_key',
    '(?<!\\w)(?:[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|gh[pousr]_[A-Za-z0-9]{20,}|' +
      'xox[abprs]-[A-Za-z0-9-]{10,}|AIza[\\w-]{35})',
    'g',
    '[REDACTED_API_KEY]',
    (text) => /[sr]k_(?:live|test)|gh[pousr]_|xox|AIza/.test(text),
  ),
  define('jwt', '(?<![\\w-])eyJ[\\w-]{4,}\\.[\\w-]{4,}\\.[\\w-]*', 'g', '[REDACTED_JWT]', (text) =>
    text.includes('eyJ'),
  ),
  define(
    'email',
    '(?<![\\p{L}\\p{M}\\p{N}._%+-])[\\p{L}\\p{M}\\p{N}._%+-]+@' +
      '[\\p{L}\\p{M}\\p{N}.-]*\\.(?:xn--[a-z0-9-]+|[\\p{L}\\p{M}]{2,})',
    'gu',
    '[REDACTED_EMAIL]',
    (text) => text.includes('@'),
  ),
  define(
    'ssn',
    '(?<![\\w-])(?!000|666|9\\d\\d)\\d{3}-(?!00)\\d{2}-(?!0000)\\d{4}(?![\\w-])',
    'g',
    '[REDACTED_SSN]',
    digits,
  ),
  define('credit_card', `(?<![\\w.-])(?:${CARD})(?![\\w-]|\\.\\d)`, 'g', '[REDACTED_CC]', digits),
  define('phone', PHONE, 'g', '[REDACTED_PHONE]', digits),
  define('ipv4', IPV4, 'g', '[REDACTED_IP]', (text) => dotted.test(text)),
  define('ipv6', IPV6, 'gi', '[REDACTED_IP]', (text) => /[0-9a-f:]:[0-9a-f:]/i.test(text)),
];

/** The default rules, in order. Frozen: spread it to extend it. */
const DEFAULT_REDACTION_RULES = Object.freeze(DEFINITIONS.map((item) => item.rule));

const POSSIBLE = new WeakMap(DEFINITIONS.map((item) => [item.rule, item.possible]));

// A text without a match of this pattern matches no default pattern.
const ANY_TRACE = new RegExp(
  `[@=:]|${NINE_DIGITS}|${DOTTED}|earer|EARER|eyJ|A[KS]IA|[sr]k_(?:live|test)|gh[pousr]_|` +
    'xox|AIza|-----BEGIN',
);

/** Returns the rule with a global pattern; null if it is not a rule. Reads each member once. */
function normalizeRule(rule) {
  if (rule === null || typeof rule !== 'object') return null;
  if (POSSIBLE.has(rule)) return rule;
  const { name, pattern, replacement } = rule;
  if (!(pattern instanceof RegExp)) return null;
  const flags = pattern.flags.replace('y', '');
  const kept = flags === pattern.flags && pattern.global;
  return {
    name: typeof name === 'string' ? name : 'custom',
    pattern: kept ? pattern : new RegExp(pattern.source, flags.includes('g') ? flags : flags + 'g'),
    replacement:
      typeof replacement === 'string' || typeof replacement === 'function'
        ? replacement
        : '[REDACTED]',
  };
}

/**
 * Returns the steps of redactText: {pattern, replacement, possible or null}. `forNames`: default
 * rules only, because a custom pattern is for values and could match ordinary field names.
 */
function compileRules(rules) {
  const steps = [];
  let allKnown = true;
  for (const given of Array.isArray(rules) ? rules : DEFAULT_REDACTION_RULES) {
    const rule = normalizeRule(given);
    if (rule === null) continue;
    const possible = POSSIBLE.get(rule) || null;
    if (possible === null) allKnown = false;
    steps.push({ pattern: rule.pattern, replacement: rule.replacement, possible });
  }
  const forNames = { steps: steps.filter((step) => step.possible !== null), allKnown: true };
  return { steps, allKnown, forNames };
}

const FAILED = '[REDACTION_FAILED]';

/** Returns the text with all matches replaced. If a rule throws, the whole text is removed. */
function redactText(text, compiled) {
  const plain = !ANY_TRACE.test(text);
  if (plain && compiled.allKnown) return text;
  try {
    let result = text;
    for (const step of compiled.steps) {
      if (step.possible !== null && (plain || !step.possible(result))) continue;
      result = result.replace(step.pattern, step.replacement);
    }
    return typeof result === 'string' ? result : FAILED;
  } catch {
    return FAILED;
  }
}

module.exports = { DEFAULT_REDACTION_RULES, compileRules, normalizeRule, redactText };
